import { useMutation } from "@tanstack/react-query";
import { Moon, Plus } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { Leaving } from "@/components/leaving";
import { Page } from "@/components/page";
import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/notice";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { api, client, type Schemas } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
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
  // until something is changed here what others save is seen; from then on it is no more changed unseen
  const [changed, setChanged] = useState<{ rules: Rule[]; was: Rule[] } | null>(null);
  const { rules, was } = changed ?? { rules: kept, was: kept };
  const isChanged = JSON.stringify(rules) !== JSON.stringify(was);
  const setRules = (rules: Rule[]) => setChanged({ rules, was });
  const save = useMutation({
    mutationFn: (body: { items: Rule[]; was: Rule[] }) => client.PUT(PATH, { body }),
    onSuccess: async (_, sent) => {
      toast("ok", t("settings.saved"));
      await queryClient.invalidateQueries({ queryKey: ["get", PATH] });
      setChanged((now) => (now && now.rules !== sent.items ? { ...now, was: sent.items } : null));
    },
    onError: () => queryClient.invalidateQueries({ queryKey: ["get", PATH] }),
  });
  const isPassed = save.error instanceof ApiError && save.error.code === "quiet_hours_changed";
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate({ items: rules, was });
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
          {isPassed ? (
            <Button
              className="mt-2"
              onClick={() => {
                setChanged(null);
                save.reset();
              }}
            >
              {t("settings.theirs")}
            </Button>
          ) : null}
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
      <Leaving
        isUnsaved={isChanged}
        isSaving={save.isPending}
        discard={() => setChanged(null)}
        text={t("settings.leaveText")}
      />
    </form>
  );
}
