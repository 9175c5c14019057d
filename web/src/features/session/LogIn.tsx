import { useMutation } from "@tanstack/react-query";
import { useRouter, useSearch } from "@tanstack/react-router";
import { type FormEvent, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import { CodeField } from "@/components/code-field";
import { LANGUAGE_NAMES } from "@/components/shell/UserMenu";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { LANGUAGES, speak } from "@/i18n";
import { client } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { queryClient } from "@/lib/api/query";
import { useFormats } from "@/lib/format";
import { sessionQuery } from "@/lib/session";
import { useTitle } from "@/lib/title";
import { ownAddress } from "@/routes";

import { CodeOf } from "./CodeOf";
import { Providers } from "./Providers";

interface Credentials {
  email: string;
  password: string;
  tenant?: string;
  code?: string;
}

/** E-mail and password, or an identity provider; the account's short name where the same log-in fits in several. */
export function LogIn() {
  const { code_of: waiting } = useSearch({ from: "/login" });
  return waiting ? <CodeOf logIn={waiting} /> : <Usual />;
}

function Usual() {
  const { t, i18n } = useTranslation();
  useTitle(t("session.title"));
  const router = useRouter();
  const { to, problem } = useSearch({ from: "/login" });
  const [needsTenant, setNeedsTenant] = useState(false);
  const [needsCode, setNeedsCode] = useState(false);
  const logIn = useMutation({
    mutationFn: async (body: Credentials) => (await client.POST("/api/v1/session", { body })).data,
    onSuccess: (me) => {
      queryClient.setQueryData(sessionQuery.queryKey, me);
      router.history.push(ownAddress(to));
    },
    onError: (error) => {
      const code = error instanceof ApiError ? error.code : "";
      setNeedsTenant((now) => now || code === "tenant_required");
      setNeedsCode((now) => now || code === "code_needed");
    },
  });
  // the password was right: a code is asked for, and nothing has gone wrong
  const isAsking = logIn.error instanceof ApiError && logIn.error.code === "code_needed";
  const formats = useFormats();
  const wait = useWait(logIn.error);
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const value = (name: string) => String(form.get(name) ?? "").trim();
    const [tenant, code] = [value("tenant"), value("code")];
    logIn.mutate({
      email: value("email"),
      password: String(form.get("password") ?? ""),
      ...(tenant ? { tenant } : {}),
      ...(code ? { code } : {}),
    });
  };
  return (
    <main className="flex h-dvh flex-col items-center overflow-y-auto px-4">
      <div className="m-auto w-full max-w-sm py-8">
        <img src="/favicon.svg" alt="" className="mb-5 size-10" />
        <h1 className="text-2xl font-semibold">{t("session.title")}</h1>
        <p className="mt-1 mb-6 text-sm text-muted">{t("session.subtitle")}</p>
        <form onSubmit={onSubmit} className="flex flex-col gap-4">
          <Field label={t("session.email")}>
            <Input name="email" type="email" autoComplete="username" required autoFocus className="h-10" />
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
          {needsTenant ? (
            <Field label={t("session.tenant")} hint={t("session.tenantHint")}>
              <Input name="tenant" autoComplete="organization" required autoFocus className="h-10" />
            </Field>
          ) : null}
          {needsCode ? <CodeField autoFocus /> : null}
          {problem && !logIn.error ? (
            <Notice tone="bad" isAlert>
              {errorText(new ApiError({ status: 0, code: problem }), t)}
            </Notice>
          ) : null}
          {logIn.error ? (
            <Notice tone={isAsking ? "info" : "bad"} isAlert>
              {wait > 0
                ? t("session.throttled", { wait: formats.duration(wait) })
                : errorText(logIn.error, t)}
            </Notice>
          ) : null}
          <Button
            type="submit"
            look="solid"
            size="lg"
            className="h-10"
            disabled={logIn.isPending || wait > 0}
          >
            {logIn.isPending ? t("session.loggingIn") : t("session.logIn")}
          </Button>
        </form>
        <Providers />
        <div className="mt-8 flex gap-1" role="group" aria-label={t("nav.language")}>
          {LANGUAGES.map((language) => (
            <Button
              key={language}
              look="ghost"
              size="sm"
              lang={language}
              aria-pressed={i18n.language === language}
              className="aria-pressed:text-ink"
              onClick={() => void speak(language)}
            >
              {LANGUAGE_NAMES[language]}
            </Button>
          ))}
        </div>
      </div>
    </main>
  );
}

/** Seconds until the server takes another try; counts down. */
function useWait(error: unknown): number {
  const [left, setLeft] = useState<{ error: unknown; seconds: number }>({ error: null, seconds: 0 });
  const asked = error instanceof ApiError && error.code === "limited" ? Math.ceil(error.retryAfter ?? 0) : 0;
  if (left.error !== error) setLeft({ error, seconds: asked });
  const isWaiting = left.seconds > 0;
  useEffect(() => {
    if (!isWaiting) return;
    const timer = setInterval(
      () => setLeft((now) => ({ ...now, seconds: Math.max(0, now.seconds - 1) })),
      1000,
    );
    return () => clearInterval(timer);
  }, [isWaiting]);
  return left.seconds;
}
