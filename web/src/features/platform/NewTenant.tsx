import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useId } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { client } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { queryClient } from "@/lib/api/query";

/** A tenant and the person who owns it. */
export function NewTenant({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const form = useId();
  const make = useMutation({
    mutationFn: async (given: FormData) => {
      const text = (name: string) => String(given.get(name) ?? "").trim();
      const { data } = await client.POST("/api/v1/platform/tenants", {
        body: {
          name: text("name"),
          slug: text("slug"),
          region: text("region").toUpperCase(),
          time_zone: text("time_zone"),
          owner: { name: text("owner"), email: text("email"), password: String(given.get("password")) },
        },
      });
      return data;
    },
    onSuccess: (made) => {
      void queryClient.invalidateQueries();
      onClose();
      if (made) void navigate({ to: "/operations/tenants/$tenantId", params: { tenantId: made.id } });
    },
  });
  const error = make.error instanceof ApiError ? make.error : null;
  const at = (...fields: string[]) =>
    error?.field && fields.includes(error.field) ? errorText(error, t) : undefined;
  const isShown = ["slug", "region", "time_zone", "email", "password"].includes(error?.field ?? "");
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    make.mutate(new FormData(event.currentTarget));
  };
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={t("platform.tenants.new")}
      footer={
        <>
          <Button onClick={onClose}>{t("common.cancel")}</Button>
          <Button type="submit" form={form} look="solid" disabled={make.isPending}>
            {t("platform.tenants.make")}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={onSubmit} className="flex flex-col gap-3">
        <Field label={t("platform.name")}>
          <Input name="name" required maxLength={200} data-first autoComplete="off" />
        </Field>
        <Field label={t("platform.tenants.slug")} hint={t("platform.tenants.slugHint")} error={at("slug")}>
          <Input name="slug" required maxLength={63} pattern="[a-z0-9][a-z0-9\-]*" autoComplete="off" />
        </Field>
        <div className="grid grid-cols-1 gap-3 sm:grid-cols-2">
          <Field label={t("platform.tenants.region")} error={at("region")}>
            <Input name="region" required maxLength={2} defaultValue="US" autoComplete="off" />
          </Field>
          <Field label={t("platform.tenants.zone")} error={at("time_zone")}>
            <Input name="time_zone" required defaultValue="America/New_York" autoComplete="off" />
          </Field>
        </div>
        <Field label={t("platform.tenants.owner")}>
          <Input name="owner" required maxLength={200} autoComplete="off" />
        </Field>
        <Field label={t("platform.email")} error={at("email")}>
          <Input name="email" type="email" required autoComplete="off" />
        </Field>
        <Field label={t("session.password")} hint={t("platform.passwordHint")} error={at("password")}>
          <Input name="password" type="password" required minLength={10} autoComplete="new-password" />
        </Field>
        {make.error && !isShown ? (
          <Notice tone="bad" isAlert>
            {errorText(make.error, t)}
          </Notice>
        ) : null}
      </form>
    </Dialog>
  );
}
