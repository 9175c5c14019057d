import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useId, useRef } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { toast } from "@/components/ui/toasts";
import { client, onceKey, type Schemas } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { PAGES } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";

type Provider = Schemas["IdentityProvider"];

/** The providers as the server has them, wherever they are shown. */
export const readProviders = () =>
  Promise.all([
    queryClient.invalidateQueries({ queryKey: [PAGES] }),
    queryClient.invalidateQueries({ queryKey: ["get", "/api/v1/session/providers"] }),
  ]);

const FIELDS = ["name", "issuer", "client_id", "client_secret"];

interface Typed {
  name: string;
  issuer: string;
  client_id: string;
  client_secret: string;
  is_enabled: boolean;
}

/** A provider is set up, or changed; its secret is written and never read. */
export function ProviderForm({ provider, onClose }: { provider: Provider | null; onClose: () => void }) {
  const { t } = useTranslation();
  const form = useId();
  const key = useRef(onceKey());
  const save = useMutation({
    mutationFn: ({ issuer, client_secret, is_enabled, ...typed }: Typed) => {
      const secret = client_secret ? { client_secret } : {};
      return provider
        ? client.PATCH("/api/v1/identity-providers/{id}", {
            params: { path: { id: provider.id } },
            body: { ...typed, ...secret, is_enabled },
          })
        : client.POST("/api/v1/identity-providers", {
            body: { ...typed, ...secret, issuer },
            headers: { "Idempotency-Key": key.current },
          });
    },
    onSuccess: () => {
      toast("ok", t("providers.saved"));
      onClose();
      return readProviders();
    },
    onError: () => {
      key.current = onceKey();
    },
  });
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const value = (name: string) => String(given.get(name) ?? "").trim();
    save.mutate({
      name: value("name"),
      issuer: value("issuer"),
      client_id: value("client_id"),
      client_secret: value("client_secret"),
      is_enabled: given.get("is_enabled") !== null,
    });
  };
  const told = save.error instanceof ApiError ? save.error : null;
  const at = (field: string) => (told?.field === field ? errorText(told, t) : undefined);
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={provider ? t("providers.editOf", { name: provider.name }) : t("providers.add")}
      description={provider ? undefined : t("providers.addSays")}
      footer={
        <>
          <Button onClick={onClose}>{t("common.cancel")}</Button>
          <Button look="solid" type="submit" form={form} disabled={save.isPending}>
            {t("providers.save")}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={onSubmit} className="flex flex-col gap-4">
        <Field label={t("providers.name")} error={at("name")}>
          <Input name="name" required maxLength={80} autoComplete="off" defaultValue={provider?.name} />
        </Field>
        <Field label={t("providers.issuer")} hint={t("providers.issuerHint")} error={at("issuer")}>
          <Input
            name="issuer"
            type="url"
            required
            maxLength={500}
            autoComplete="off"
            readOnly={provider !== null}
            defaultValue={provider?.issuer}
          />
        </Field>
        <Field label={t("providers.clientId")} error={at("client_id")}>
          <Input
            name="client_id"
            required
            maxLength={300}
            autoComplete="off"
            defaultValue={provider?.client_id}
          />
        </Field>
        <Field
          label={t("providers.clientSecret")}
          hint={t(provider?.has_client_secret ? "providers.secretKeeps" : "providers.secretHint")}
          error={at("client_secret")}
        >
          <Input name="client_secret" type="password" autoComplete="off" />
        </Field>
        {provider ? (
          <label className="flex items-center gap-2 text-sm">
            <input type="checkbox" name="is_enabled" defaultChecked={provider.is_enabled} />
            {t("providers.enabled")}
          </label>
        ) : null}
        {save.error && !FIELDS.includes(told?.field ?? "") ? (
          <Notice tone="bad" isAlert>
            {errorText(save.error, t)}
          </Notice>
        ) : null}
      </form>
    </Dialog>
  );
}
