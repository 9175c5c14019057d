import { useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { api, client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { useAway } from "@/lib/away";
import { ownAddress } from "@/routes";

/** Identity providers to log in with: those of everybody, and those of the account that the address names. */
export function Providers() {
  const { t } = useTranslation();
  const { to, tenant, problem } = useSearch({ from: "/login" });
  const navigate = useNavigate({ from: "/login" });
  const [isAsked, setAsked] = useState(problem === "tenant_required");
  const { data, isSuccess } = api.useQuery("get", "/api/v1/session/providers", {
    params: { query: tenant ? { tenant } : {} },
  });
  const away = useAway((provider: string) =>
    client.POST("/api/v1/session/oidc", {
      body: { provider, return_to: ownAddress(to), ...(tenant ? { tenant } : {}) },
    }),
  );
  const items = data?.items ?? [];
  const leavesFor = away.isPending ? items.find(({ id }) => id === away.variables) : undefined;
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get("account") ?? "").trim();
    void navigate({ search: (now) => ({ ...now, problem: undefined, tenant: name || undefined }) });
  };
  return (
    <section aria-label={t("providers.company")} className="mt-6 flex flex-col gap-3">
      <p className="text-center text-sm text-faint">{t("providers.or")}</p>
      {items.map(({ id, name }) => (
        <Button key={id} size="lg" className="h-10" disabled={away.isPending} onClick={() => away.mutate(id)}>
          {t("providers.with", { name })}
        </Button>
      ))}
      <p role="status" className="text-sm text-muted empty:hidden">
        {leavesFor ? t("providers.leaving", { name: leavesFor.name }) : null}
        {tenant && isSuccess && items.length === 0 ? t("providers.none") : null}
      </p>
      {away.error ? (
        <Notice tone="bad" isAlert>
          {errorText(away.error, t)}
        </Notice>
      ) : null}
      {isAsked || tenant ? (
        <form onSubmit={onSubmit} className="flex items-start gap-2">
          <Field label={t("providers.account")} hint={t("providers.accountHint")} className="flex-1">
            <Input
              name="account"
              autoComplete="organization"
              required
              defaultValue={tenant}
              autoFocus={isAsked}
              className="h-10"
            />
          </Field>
          <Button type="submit" className="mt-6 h-10">
            {t("providers.show")}
          </Button>
        </form>
      ) : (
        <Button look="ghost" onClick={() => setAsked(true)}>
          {t("providers.company")}
        </Button>
      )}
    </section>
  );
}
