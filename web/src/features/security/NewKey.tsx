import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useId, useRef } from "react";
import { useTranslation } from "react-i18next";

import { ShownOnce } from "@/components/shown-once";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { client, onceKey, type Permission, type Schemas } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { useMe } from "@/lib/session";

const SHOWN_AT_FIELD = ["name", "rate_per_minute", "quota_per_day"];

interface NewKeyProps {
  onClose: () => void;
  /** Without a token where the request came twice: it is shown once. */
  onMade: (token: string | null) => void;
}

/** A key to be made: what it is for, what it may, and how much it may ask. */
export function NewKey({ onClose, onMade }: NewKeyProps) {
  const { t } = useTranslation();
  const form = useId();
  const own = useMe().permissions;
  const once = useRef(onceKey());
  const make = useMutation({
    mutationFn: async (body: Schemas["KeyBody"]) => {
      const headers = { "Idempotency-Key": once.current };
      const { data } = await client.POST("/api/v1/api-keys", { body, headers });
      if (!data) throw ApiError.unreachable();
      return data;
    },
    onSuccess: ({ token }) => onMade(token ?? null),
    onError: () => {
      once.current = onceKey();
    },
  });
  const told = make.error instanceof ApiError ? make.error : null;
  const at = (field: string) => (told?.field === field ? errorText(told, t) : undefined);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const values = new FormData(event.currentTarget);
    const number = (name: string) => Number(values.get(name)) || null;
    make.mutate({
      name: String(values.get("name") ?? "").trim(),
      permissions: values.getAll("permission") as Permission[],
      rate_per_minute: number("rate_per_minute"),
      quota_per_day: number("quota_per_day"),
    });
  };
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={t("security.newKey")}
      description={t("security.newKeySays")}
      footer={
        <>
          <Button onClick={onClose}>{t("common.cancel")}</Button>
          <Button look="solid" type="submit" form={form} disabled={make.isPending}>
            {t("security.makeKey")}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t("security.keyName")} error={at("name")}>
          <Input name="name" required maxLength={200} autoComplete="off" />
        </Field>
        <fieldset className="min-w-0">
          <legend className="text-sm font-medium text-muted">{t("security.keyMay")}</legend>
          <div className="mt-1 grid max-h-48 grid-cols-1 gap-1 overflow-y-auto rounded-md border border-line p-2 sm:grid-cols-2">
            {own.map((permission) => (
              <label key={permission} className="flex items-center gap-2 font-mono text-sm">
                <input type="checkbox" name="permission" value={permission} />
                {permission}
              </label>
            ))}
          </div>
        </fieldset>
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label={t("security.rate")} hint={t("security.asSet")} error={at("rate_per_minute")}>
            <Input name="rate_per_minute" type="number" min={1} max={60000} />
          </Field>
          <Field label={t("security.quota")} hint={t("security.asSet")} error={at("quota_per_day")}>
            <Input name="quota_per_day" type="number" min={1} max={1000000000} />
          </Field>
        </div>
        {make.error && !SHOWN_AT_FIELD.includes(told?.field ?? "") ? (
          <Notice tone="bad" isAlert>
            {errorText(make.error, t)}
          </Notice>
        ) : null}
      </form>
    </Dialog>
  );
}

/** The token, which the server shows this once: it keeps only a hash. */
export function KeyShown({ token, onClose }: { token: string | null; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <ShownOnce
      title={t("security.key")}
      says={t("security.keySays")}
      value={token}
      gone={t("security.keyGone")}
      copy={t("security.copy")}
      copied={t("security.keyCopied")}
      onClose={onClose}
    />
  );
}
