import { useMutation } from "@tanstack/react-query";
import type { FormEvent } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { ApiError, errorText } from "@/lib/api/error";
import { useTitle } from "@/lib/title";

import { openSession } from "./session";

/** The operator's token, which the installation was given, opens the screens for a working day. */
export function OperatorLogIn() {
  const { t } = useTranslation();
  useTitle(t("operations.title"));
  const logIn = useMutation({ mutationFn: openSession });
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    logIn.mutate(String(new FormData(event.currentTarget).get("token") ?? "").trim());
  };
  const isWrong = logIn.error instanceof ApiError && logIn.error.code === "bad_credentials";
  return (
    <main className="flex h-dvh flex-col items-center overflow-y-auto px-4">
      <div className="m-auto w-full max-w-sm py-8">
        <img src="/favicon.svg" alt="" className="mb-5 size-10" />
        <h1 className="text-2xl font-semibold">{t("operations.title")}</h1>
        <p className="mt-1 mb-6 text-sm text-muted">{t("operations.logIn.subtitle")}</p>
        <form onSubmit={onSubmit} className="flex flex-col gap-4">
          <Field label={t("operations.logIn.token")} hint={t("operations.logIn.hint")}>
            <Input name="token" type="password" autoComplete="off" required autoFocus className="h-10" />
          </Field>
          {logIn.error ? (
            <Notice tone="bad" isAlert>
              {isWrong ? t("operations.logIn.wrong") : errorText(logIn.error, t)}
            </Notice>
          ) : null}
          <Button type="submit" look="solid" size="lg" className="h-10" disabled={logIn.isPending}>
            {t("session.logIn")}
          </Button>
        </form>
      </div>
    </main>
  );
}
