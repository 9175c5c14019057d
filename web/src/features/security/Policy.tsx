import { useMutation } from "@tanstack/react-query";
import { useId } from "react";
import { useTranslation } from "react-i18next";

import { Notice } from "@/components/ui/notice";
import { Panel } from "@/components/ui/panel";
import { api, client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { queryClient } from "@/lib/api/query";
import { useMay } from "@/lib/session";

import { POLICY, readAgain } from "./wire";

/** What the account asks of everybody who logs in. */
export function Policy() {
  const { t } = useTranslation();
  const id = useId();
  const manages = useMay()("admin.settings_manage");
  const { data, error } = api.useQuery("get", POLICY);
  const save = useMutation({
    mutationFn: (requires_second_factor: boolean) => client.PUT(POLICY, { body: { requires_second_factor } }),
    onSuccess: ({ data }) => {
      queryClient.setQueryData(api.queryOptions("get", POLICY).queryKey, data);
      return readAgain();
    },
  });
  const failure = save.error ?? error;
  return (
    <Panel title={t("security.policy")}>
      <div className="flex items-start gap-2 text-sm">
        <input
          id={id}
          type="checkbox"
          className="mt-0.5"
          aria-describedby={`${id}-says`}
          checked={save.isPending ? save.variables : (data?.requires_second_factor ?? false)}
          disabled={!manages || !data || save.isPending}
          onChange={({ target }) => save.mutate(target.checked)}
        />
        <div>
          <label htmlFor={id}>{t("security.requires")}</label>
          <p id={`${id}-says`} className="text-muted">
            {t("security.policySays")}
          </p>
        </div>
      </div>
      {failure ? (
        <Notice tone="bad" isAlert className="mt-3">
          {errorText(failure, t)}
        </Notice>
      ) : null}
    </Panel>
  );
}
