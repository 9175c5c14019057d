import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useId } from "react";
import { useTranslation } from "react-i18next";

import { CodeField } from "@/components/code-field";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { client } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { answerProof } from "@/lib/proof";
import { useMe } from "@/lib/session";

import { ProofBy } from "./ProofBy";

/** Asks for the password once more, and for a code where there is a second factor, before something dangerous is done. */
export function Proof() {
  const { t } = useTranslation();
  const { user } = useMe();
  const form = useId();
  const prove = useMutation({
    mutationFn: (body: { password: string; code?: string }) => client.POST("/api/v1/session/proof", { body }),
    onSuccess: () => answerProof(true),
  });
  const { error } = prove;
  const needsCode = user.has_second_factor || (error instanceof ApiError && error.code === "code_needed");
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const code = String(given.get("code") ?? "");
    prove.mutate({ password: String(given.get("password") ?? ""), ...(code ? { code } : {}) });
  };
  return (
    <Dialog
      open
      onOpenChange={() => answerProof(false)}
      title={t("security.proof")}
      description={t("security.proofSays")}
      footer={
        <>
          <Button onClick={() => answerProof(false)}>{t("common.cancel")}</Button>
          <Button look="solid" type="submit" form={form} disabled={prove.isPending}>
            {t("security.proofGo")}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={onSubmit} className="flex flex-col gap-4">
        <input type="email" hidden readOnly autoComplete="username" value={user.email} />
        <Field label={t("session.password")}>
          <Input name="password" type="password" autoComplete="current-password" required data-first />
        </Field>
        {needsCode ? <CodeField /> : null}
        {error ? (
          <Notice tone="bad" isAlert>
            {errorText(error, t)}
          </Notice>
        ) : null}
      </form>
      <ProofBy form={form} />
    </Dialog>
  );
}
