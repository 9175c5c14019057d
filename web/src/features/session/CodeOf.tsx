import { useMutation } from "@tanstack/react-query";
import { Link, useRouter } from "@tanstack/react-router";
import type { FormEvent } from "react";
import { useTranslation } from "react-i18next";

import { CodeField } from "@/components/code-field";
import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/notice";
import { client } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { queryClient } from "@/lib/api/query";
import { sessionQuery } from "@/lib/session";
import { useTitle } from "@/lib/title";
import { ownAddress } from "@/routes";

/** An identity provider has said who somebody is, who has a second factor here. */
export function CodeOf({ logIn }: { logIn: string }) {
  const { t } = useTranslation();
  useTitle(t("providers.codeTitle"));
  const router = useRouter();
  const give = useMutation({
    mutationFn: async (code: string) => {
      const { data } = await client.POST("/api/v1/session/oidc/code", { body: { log_in: logIn, code } });
      if (!data) throw ApiError.unreachable();
      return data;
    },
    onSuccess: ({ return_to, ...me }) => {
      queryClient.setQueryData(sessionQuery.queryKey, me);
      router.history.push(ownAddress(return_to));
    },
  });
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    give.mutate(String(new FormData(event.currentTarget).get("code") ?? "").trim());
  };
  return (
    <main className="flex h-dvh flex-col items-center overflow-y-auto px-4">
      <div className="m-auto w-full max-w-sm py-8">
        <img src="/favicon.svg" alt="" className="mb-5 size-10" />
        <h1 className="text-2xl font-semibold">{t("providers.codeTitle")}</h1>
        <p className="mt-1 mb-6 text-sm text-muted">{t("providers.codeSays")}</p>
        <form onSubmit={onSubmit} className="flex flex-col gap-4">
          <CodeField autoFocus />
          {give.error ? (
            <Notice tone="bad" isAlert>
              {errorText(give.error, t)}
            </Notice>
          ) : null}
          <Button type="submit" look="solid" size="lg" className="h-10" disabled={give.isPending}>
            {t("session.logIn")}
          </Button>
        </form>
        <Link to="/login" className="mt-6 inline-block text-sm text-muted underline">
          {t("providers.back")}
        </Link>
      </div>
    </main>
  );
}
