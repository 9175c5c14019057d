import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useParams, useRouter } from "@tanstack/react-router";
import { LinkIcon } from "lucide-react";
import type { FormEvent } from "react";
import { useTranslation } from "react-i18next";

import { LANGUAGE_NAMES } from "@/components/shell/UserMenu";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { LANGUAGES, speak } from "@/i18n";
import { client, type Schemas } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { queryClient } from "@/lib/api/query";
import { sessionQuery } from "@/lib/session";
import { useTitle } from "@/lib/title";

type Shown = Schemas["Invitation"];

/** Where somebody who was invited says who they are and sets their password; then they are in. */
export function InvitationPage() {
  const { t, i18n } = useTranslation();
  useTitle(t("users.welcome"));
  const { token } = useParams({ from: "/invitations/$token" });
  const query = useQuery({
    queryKey: ["invitation", token],
    queryFn: async () =>
      (await client.GET("/api/v1/invitations/{token}", { params: { path: { token } } })).data,
    retry: false,
    refetchOnWindowFocus: false,
  });
  const isUnknown = query.error instanceof ApiError && query.error.status === 404;
  return (
    <main className="flex h-dvh flex-col items-center overflow-y-auto px-4">
      <div className="m-auto w-full max-w-sm py-8">
        <img src="/favicon.svg" alt="" className="mb-5 size-10" />
        {query.isPending ? (
          <Loading />
        ) : isUnknown ? (
          <Over why="unknown" />
        ) : query.error || !query.data ? (
          <Failed error={query.error} retry={() => void query.refetch()} />
        ) : query.data.state === "open" ? (
          <Accept token={token} shown={query.data} onOver={() => void query.refetch()} />
        ) : (
          <Over why={query.data.state === "used" ? "used" : "expired"} />
        )}
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

function Over({ why }: { why: "used" | "expired" | "unknown" }) {
  const { t } = useTranslation();
  return (
    <>
      <h1 className="sr-only">{t("users.welcome")}</h1>
      <Empty
        icon={LinkIcon}
        title={t(`users.over.${why}`)}
        action={
          <Button asChild look={why === "used" ? "solid" : "plain"}>
            <Link to="/login">{t("users.toLogIn")}</Link>
          </Button>
        }
      >
        {t(`users.overNext.${why}`)}
      </Empty>
    </>
  );
}

function Accept({ token, shown, onOver }: { token: string; shown: Shown; onOver: () => void }) {
  const { t } = useTranslation();
  const router = useRouter();
  const { email, tenant_slug: tenant } = shown;
  const accept = useMutation({
    mutationFn: async ({ name, password }: { name?: string; password: string }) => {
      await client.POST("/api/v1/invitations/{token}", {
        params: { path: { token } },
        body: { password, ...(name === undefined ? {} : { name }) },
      });
      return (await client.POST("/api/v1/session", { body: { email, password, tenant } })).data;
    },
    onSuccess: (me) => {
      // whoever was logged in here before is not any more
      queryClient.clear();
      queryClient.setQueryData(sessionQuery.queryKey, me);
      router.history.push("/");
    },
    onError: (error) => {
      if (!(error instanceof ApiError)) return;
      // somebody else was quicker, or it took too long: the page says so
      if (error.status === 404) onOver();
      // it is set; with a second factor they log in by themselves
      if (error.code === "code_needed") void router.navigate({ to: "/login" });
    },
  });
  const error = accept.error instanceof ApiError ? accept.error : null;
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const password = String(form.get("password"));
    accept.mutate(shown.is_reset ? { password } : { name: String(form.get("name")).trim(), password });
  };
  return (
    <>
      <h1 className="text-2xl font-semibold">{t(shown.is_reset ? "users.reset" : "users.welcome")}</h1>
      <p className="mt-1 mb-6 text-sm text-muted">
        {shown.is_reset
          ? t("users.resetSays", { email })
          : t("users.welcomeSays", { tenant: shown.tenant_name, email })}
      </p>
      <form onSubmit={onSubmit} className="flex flex-col gap-4">
        <input type="hidden" name="username" autoComplete="username" value={email} />
        {shown.is_reset ? null : (
          <Field
            label={t("users.yourName")}
            error={error?.field === "name" ? errorText(error, t) : undefined}
          >
            <Input
              name="name"
              autoComplete="name"
              required
              maxLength={200}
              defaultValue={shown.name}
              className="h-10"
            />
          </Field>
        )}
        <Field
          label={t("session.password")}
          hint={t("users.passwordHint")}
          error={error?.field === "password" ? errorText(error, t) : undefined}
        >
          <Input
            name="password"
            type="password"
            autoComplete="new-password"
            required
            minLength={10}
            className="h-10"
          />
        </Field>
        {error && error.field !== "name" && error.field !== "password" ? (
          <Notice tone="bad" isAlert>
            {errorText(error, t)}
          </Notice>
        ) : null}
        <Button type="submit" look="solid" size="lg" className="h-10" disabled={accept.isPending}>
          {t("users.enter")}
        </Button>
      </form>
    </>
  );
}
