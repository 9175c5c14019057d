import { useMutation } from "@tanstack/react-query";
import { Moon, Plus } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { Page } from "@/components/page";
import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/notice";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { api, client, type Schemas } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { queryClient } from "@/lib/api/query";
import { useMay } from "@/lib/session";

import { useRegions } from "./regions";
import { RuleFields } from "./RuleFields";

export type Rule = Schemas["QuietHours"];

const PATH = "/api/v1/quiet-hours";
/** What rule every new one begins as. */
const FRESH: Omit<Rule, "region"> = { days: [1, 2, 3, 4, 5, 6, 7], from: "09:00", until: "20:00" };

/** The hours in which campaigns may write, where they are stricter than 8:00 to 21:00. */
export function QuietHoursPage() {
  const { t } = useTranslation();
  const kept = api.useQuery("get", PATH);
  return (
    <Page title={t("settings.quietHours")}>
      {kept.data ? (
        <Rules kept={kept.data.items} />
      ) : kept.error ? (
        <Failed error={kept.error} retry={() => void kept.refetch()} />
      ) : (
        <Loading />
      )}
    </Page>
  );
}

function Rules({ kept }: { kept: Rule[] }) {
  const { t } = useTranslation();
  const manages = useMay()("admin.settings_manage");
  const { countries } = useRegions();
  // until something is changed here what others save is seen
  const [changed, setRules] = useState<Rule[] | null>(null);
  const rules = changed ?? kept;
  const isChanged = JSON.stringify(rules) !== JSON.stringify(kept);
  const save = useMutation({
    mutationFn: (items: Rule[]) => client.PUT(PATH, { body: { items } }),
    onSuccess: async (_, sent) => {
      toast("ok", t("settings.saved"));
      await queryClient.invalidateQueries({ queryKey: ["get", PATH] });
      setRules((now) => (now === sent ? null : now));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate(rules);
  };
  const add = () => {
    const taken = new Set(rules.map(({ region }) => region ?? null));
    const free = [null, "US", ...countries.map(({ code }) => code)].find((region) => !taken.has(region));
    setRules([...rules, { ...FRESH, region: free ?? null }]);
  };
  return (
    <form onSubmit={submit} className="flex max-w-3xl flex-col gap-4">
      <p className="text-sm text-muted">{t("settings.quietHoursSays")}</p>
      {save.error ? (
        <Notice tone="bad" isAlert>
          {errorText(save.error, t)}
        </Notice>
      ) : null}
      {rules.length === 0 ? (
        <Empty icon={Moon} title={t("settings.noRules")}>
          {t("settings.noRulesNext")}
        </Empty>
      ) : (
        <ul aria-label={t("settings.quietHours")} className="flex flex-col gap-3">
          {rules.map((rule, place) => (
            <li key={place} className="rounded-lg border border-line bg-surface p-3">
              <RuleFields
                rule={rule}
                isFixed={!manages}
                taken={rules.filter((other) => other !== rule).map(({ region }) => region ?? "")}
                onChange={(changed) => setRules(rules.map((one) => (one === rule ? changed : one)))}
                onRemove={() => setRules(rules.filter((one) => one !== rule))}
              />
            </li>
          ))}
        </ul>
      )}
      {manages ? (
        <div className="flex flex-wrap gap-2">
          <Button onClick={add}>
            <Plus aria-hidden />
            {t("settings.addRule")}
          </Button>
          <Button look="solid" type="submit" disabled={!isChanged || save.isPending}>
            {t("common.save")}
          </Button>
        </div>
      ) : (
        <p className="text-sm text-faint">{t("settings.mayNot")}</p>
      )}
    </form>
  );
}
