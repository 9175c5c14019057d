import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { ApiError, errorText } from "@/lib/api/error";
import { useTitle } from "@/lib/title";

import { openSession } from "./session";

/** A person with a password and a code, or whoever holds the installation's token: either is in for a working day. */
export function OperatorLogIn() {
  const { t } = useTranslation();
  useTitle(t("operations.title"));
  const [byToken, setByToken] = useState(false);
  const logIn = useMutation({ mutationFn: openSession });
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    logIn.mutate(
      byToken
        ? { token: text("token") }
        : { email: text("email"), password: String(form.get("password")), code: text("code") },
    );
  };
  const isWrong = byToken && logIn.error instanceof ApiError && logIn.error.code === "bad_credentials";
  return (
    <main className="flex h-dvh flex-col items-center overflow-y-auto px-4">
      <div className="m-auto w-full max-w-sm py-8">
        <img src="/favicon.svg" alt="" className="mb-5 size-10" />
        <h1 className="text-2xl font-semibold">{t("operations.title")}</h1>
        <p className="mt-1 mb-6 text-sm text-muted">{t("operations.logIn.subtitle")}</p>
        <form onSubmit={onSubmit} className="flex flex-col gap-4">
          {byToken ? (
            <Field label={t("operations.logIn.token")} hint={t("operations.logIn.hint")}>
              <Input name="token" type="password" autoComplete="off" required autoFocus className="h-10" />
            </Field>
          ) : (
            <>
              <Field label={t("session.email")}>
                <Input
                  name="email"
                  type="email"
                  autoComplete="username"
                  required
                  autoFocus
                  className="h-10"
                />
              </Field>
              <Field label={t("session.password")}>
                <Input
                  name="password"
                  type="password"
                  autoComplete="current-password"
                  required
                  className="h-10"
                />
              </Field>
              <Field label={t("operations.logIn.code")}>
                <Input
                  name="code"
                  inputMode="numeric"
                  autoComplete="one-time-code"
                  required
                  maxLength={10}
                  className="figures h-10"
                />
              </Field>
            </>
          )}
          {logIn.error ? (
            <Notice tone="bad" isAlert>
              {isWrong ? t("operations.logIn.wrong") : errorText(logIn.error, t)}
            </Notice>
          ) : null}
          <Button type="submit" look="solid" size="lg" className="h-10" disabled={logIn.isPending}>
            {t("session.logIn")}
          </Button>
          <Button
            look="ghost"
            onClick={() => {
              logIn.reset();
              setByToken((now) => !now);
            }}
          >
            {t(byToken ? "operations.logIn.byPerson" : "operations.logIn.byToken")}
          </Button>
        </form>
      </div>
    </main>
  );
}
