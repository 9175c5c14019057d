import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/notice";
import { client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { PAGES, whole } from "@/lib/api/pages";
import { useAway } from "@/lib/away";

/** A proof by an identity provider: whoever has no password has no other. The request that asked for it is not made again. */
export function ProofBy({ form }: { form: string }) {
  const { t } = useTranslation();
  const { data } = useQuery({
    queryKey: [PAGES, "identities", "whole"],
    queryFn: () => whole((query) => client.GET("/api/v1/identities", { params: { query } })),
  });
  const away = useAway((provider: string) => {
    const fields = document.querySelector<HTMLFormElement>(`form[id="${form}"]`);
    const code = fields ? String(new FormData(fields).get("code") ?? "").trim() : "";
    const page = window.location.pathname === "/second-factor" ? "/second-factor" : "/settings/security";
    return client.POST("/api/v1/session/proof/oidc", {
      body: { provider, return_to: `${page}?done=proven`, ...(code ? { code } : {}) },
    });
  });
  const usable = (data ?? []).flatMap(({ provider, provider_name }) =>
    provider ? [{ provider, name: provider_name ?? provider }] : [],
  );
  if (usable.length === 0) return null;
  return (
    <div className="mt-4 flex flex-col gap-2 border-t border-line pt-3">
      <p className="text-sm text-muted">{t("providers.proveSays")}</p>
      {usable.map(({ provider, name }) => (
        <Button key={provider} disabled={away.isPending} onClick={() => away.mutate(provider)}>
          {t("providers.proveWith", { name })}
        </Button>
      ))}
      {away.error ? (
        <Notice tone="bad" isAlert>
          {errorText(away.error, t)}
        </Notice>
      ) : null}
    </div>
  );
}
