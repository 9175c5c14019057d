import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { LinkIcon } from "lucide-react";
import type { FormEvent } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { QrCode } from "@/features/security/QrCode";
import { client, type Schemas } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { useTitle } from "@/lib/title";

/** Where an operator who was invited sets a password and an authenticator. */
export function OperatorInvitationPage() {
  const { t } = useTranslation();
  useTitle(t("platform.welcome.title"));
  const { token } = useParams({ from: "/operations/invitations/$token" });
  const params = { path: { token } };
  const begun = useQuery({
    queryKey: ["operator-invitation", token],
    queryFn: async () => {
      const shown = (await client.GET("/api/v1/platform/invitations/{token}", { params })).data;
      const { data } = await client.POST("/api/v1/platform/invitations/{token}/second-factor", { params });
      return shown && data ? { shown, setup: data } : null;
    },
    retry: false,
    refetchOnWindowFocus: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const isOver = begun.error instanceof ApiError && begun.error.status === 404;
  return (
    <main className="flex h-dvh flex-col items-center overflow-y-auto px-4">
      <div className="m-auto w-full max-w-sm py-8">
        <img src="/favicon.svg" alt="" className="mb-5 size-10" />
        <h1 className="text-2xl font-semibold">{t("platform.welcome.title")}</h1>
        {begun.isPending ? (
          <Loading />
        ) : isOver ? (
          <Empty icon={LinkIcon} title={t("platform.welcome.over")} action={<ToLogIn />}>
            {t("platform.welcome.overNext")}
          </Empty>
        ) : begun.data ? (
          <Accept token={token} shown={begun.data.shown} setup={begun.data.setup} />
        ) : (
          <Failed error={begun.error} retry={() => void begun.refetch()} />
        )}
      </div>
    </main>
  );
}

function ToLogIn() {
  const { t } = useTranslation();
  return (
    <Button asChild look="solid">
      <Link to="/operations">{t("session.logIn")}</Link>
    </Button>
  );
}

interface AcceptProps {
  token: string;
  shown: Schemas["OperatorInvitation"];
  setup: Schemas["OperatorSetup"];
}

function Accept({ token, shown, setup }: AcceptProps) {
  const { t } = useTranslation();
  const accept = useMutation({
    mutationFn: ({ password, code }: { password: string; code: string }) =>
      client.POST("/api/v1/platform/invitations/{token}", {
        params: { path: { token } },
        body: { password, code, sealed: setup.sealed },
      }),
  });
  const error = accept.error instanceof ApiError ? accept.error : null;
  const at = (field: string) => (error?.field === field ? errorText(error, t) : undefined);
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    accept.mutate({ password: String(form.get("password")), code: String(form.get("code")).trim() });
  };
  if (accept.isSuccess) {
    return (
      <div className="mt-4 flex flex-col gap-4">
        <p role="status">{t("platform.welcome.done")}</p>
        <ToLogIn />
      </div>
    );
  }
  return (
    <form onSubmit={onSubmit} className="mt-1 flex flex-col gap-4">
      <p className="text-sm text-muted">{t("platform.welcome.says", { email: shown.email })}</p>
      <input type="hidden" name="username" autoComplete="username" value={shown.email} />
      <Field label={t("session.password")} hint={t("platform.passwordHint")} error={at("password")}>
        <Input
          name="password"
          type="password"
          autoComplete="new-password"
          required
          minLength={10}
          className="h-10"
        />
      </Field>
      <p className="text-sm text-muted">{t("platform.welcome.scan")}</p>
      <QrCode text={setup.url} name={t("platform.welcome.qr")} />
      <Field label={t("platform.welcome.secret")}>
        <Input
          readOnly
          value={setup.secret.replace(/(.{4})(?=.)/g, "$1 ")}
          className="font-mono text-sm"
          onFocus={({ currentTarget }) => currentTarget.select()}
        />
      </Field>
      <Field label={t("platform.welcome.code")} error={at("code")}>
        <Input
          name="code"
          inputMode="numeric"
          autoComplete="one-time-code"
          required
          maxLength={10}
          className="figures h-10"
        />
      </Field>
      {error && error.field !== "password" && error.field !== "code" ? (
        <Notice tone="bad" isAlert>
          {errorText(error, t)}
        </Notice>
      ) : null}
      <Button type="submit" look="solid" size="lg" className="h-10" disabled={accept.isPending}>
        {t("platform.welcome.enter")}
      </Button>
    </form>
  );
}
