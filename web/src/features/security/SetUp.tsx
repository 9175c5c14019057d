import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useEffect } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { Loading } from "@/components/ui/states";
import { client } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";

import { QrCode } from "./QrCode";
import { FACTOR } from "./wire";

/** An authenticator is set up: its secret, and a first code that proves that it has it. */
export function SetUp({ onDone }: { onDone: (codes: readonly string[]) => void }) {
  const { t } = useTranslation();
  const begin = useMutation({
    mutationFn: async () => {
      const { data } = await client.POST(FACTOR);
      if (!data) throw ApiError.unreachable();
      return data;
    },
  });
  const confirm = useMutation({
    mutationFn: async (code: string) => {
      const { data } = await client.PUT(FACTOR, { body: { code } });
      if (!data) throw ApiError.unreachable();
      return data.codes;
    },
    onSuccess: onDone,
  });
  const { mutate } = begin;
  useEffect(() => mutate(), [mutate]);
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    confirm.mutate(String(new FormData(event.currentTarget).get("code") ?? ""));
  };
  if (begin.error) {
    return (
      <Notice tone="bad" isAlert>
        <p>{errorText(begin.error, t)}</p>
        <Button size="sm" className="mt-2" onClick={() => mutate()}>
          {t("common.retry")}
        </Button>
      </Notice>
    );
  }
  if (!begin.data) return <Loading />;
  const { secret, url } = begin.data;
  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-4">
      <QrCode text={url} name={t("security.qr")} />
      <Field label={t("security.secret")}>
        <Input
          readOnly
          value={secret.replace(/(.{4})(?=.)/g, "$1 ")}
          className="font-mono text-sm"
          onFocus={({ currentTarget }) => currentTarget.select()}
        />
      </Field>
      <Field label={t("security.firstCode")} error={confirm.error ? errorText(confirm.error, t) : undefined}>
        <Input
          name="code"
          inputMode="numeric"
          autoComplete="one-time-code"
          required
          maxLength={10}
          data-first
          className="figures"
        />
      </Field>
      <Button type="submit" look="solid" disabled={confirm.isPending}>
        {t("security.confirm")}
      </Button>
    </form>
  );
}
