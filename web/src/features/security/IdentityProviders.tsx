import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { Panel } from "@/components/ui/panel";
import { Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { client, type Schemas } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { PAGE_ROWS, usePages } from "@/lib/api/pages";
import { useMe } from "@/lib/session";

import { ProviderForm, readProviders } from "./ProviderForm";

type Provider = Schemas["IdentityProvider"];

/** The account's identity providers, set up by an owner. */
export function IdentityProviders() {
  const { t } = useTranslation();
  const { user } = useMe();
  const isOwner = user.role === "owner";
  const [open, setOpen] = useState<Provider | "new" | null>(null);
  const [leaving, setLeaving] = useState<Provider | null>(null);
  const pages = usePages(["identity-providers"], (cursor, signal) =>
    client.GET("/api/v1/identity-providers", { params: { query: { cursor, limit: PAGE_ROWS } }, signal }),
  );
  const remove = useMutation({
    mutationFn: (id: string) =>
      client.DELETE("/api/v1/identity-providers/{id}", { params: { path: { id } } }),
    onSuccess: () => {
      toast("ok", t("providers.removed"));
      return readProviders();
    },
    onError: (error) => toast("bad", errorText(error, t)),
  });
  return (
    <Panel
      title={t("providers.title")}
      aside={
        isOwner ? (
          <Button size="sm" onClick={() => setOpen("new")}>
            {t("providers.add")}
          </Button>
        ) : undefined
      }
    >
      <p className="text-sm text-muted">{t("providers.titleSays")}</p>
      {pages.isPending ? (
        <Loading />
      ) : pages.error ? (
        <Failed error={pages.error} retry={pages.refetch} />
      ) : pages.rows.length === 0 ? (
        <p className="mt-2 text-sm text-faint">{t("providers.empty")}</p>
      ) : (
        <ul aria-label={t("providers.title")} className="mt-2 divide-y divide-line">
          {pages.rows.map((provider) => (
            <li key={provider.id} className="flex flex-wrap items-center gap-3 py-2">
              <div className="min-w-0 flex-1 basis-60">
                <p className="truncate text-base">{provider.name}</p>
                <p className="truncate text-sm text-muted">{provider.issuer}</p>
                <p className="text-sm text-faint [overflow-wrap:anywhere]">
                  {t("providers.redirect")}: <span className="select-all">{provider.redirect_url}</span>
                </p>
              </div>
              {provider.is_enabled ? null : <Badge>{t("providers.disabled")}</Badge>}
              {isOwner ? (
                <>
                  <Button
                    size="sm"
                    aria-label={t("providers.editOf", { name: provider.name })}
                    onClick={() => setOpen(provider)}
                  >
                    {t("providers.edit")}
                  </Button>
                  <Button
                    size="sm"
                    aria-label={t("providers.removeOf", { name: provider.name })}
                    onClick={() => setLeaving(provider)}
                  >
                    {t("providers.remove")}
                  </Button>
                </>
              ) : null}
            </li>
          ))}
        </ul>
      )}
      {isOwner ? null : <p className="mt-2 text-sm text-faint">{t("providers.ownerOnly")}</p>}
      {open ? <ProviderForm provider={open === "new" ? null : open} onClose={() => setOpen(null)} /> : null}
      <Confirm
        open={leaving !== null}
        onOpenChange={() => setLeaving(null)}
        title={t("providers.removeAsk", { name: leaving?.name ?? "" })}
        act={t("providers.remove")}
        isDangerous
        onConfirm={() => leaving && remove.mutate(leaving.id)}
      >
        {t("providers.removeSays")}
      </Confirm>
    </Panel>
  );
}
