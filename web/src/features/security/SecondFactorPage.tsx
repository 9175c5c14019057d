import { useRouter, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";

import { useSignOut } from "@/components/shell/useSignOut";
import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/notice";
import { ApiError, errorText } from "@/lib/api/error";
import { useIsProofAsked } from "@/lib/proof";
import { useMe } from "@/lib/session";
import { useTitle } from "@/lib/title";

import { RecoveryCodes } from "./RecoveryCodes";
import { SetUp } from "./SetUp";
import { readAgain } from "./wire";

const Proof = lazy(() => import("@/components/shell/Proof").then(({ Proof }) => ({ default: Proof })));

/** In place of everything else, where the account asks for a second factor and there is none yet. */
export function SecondFactorPage() {
  const { t } = useTranslation();
  useTitle(t("security.needed"));
  const router = useRouter();
  const { problem } = useSearch({ from: "/second-factor" });
  const { tenant } = useMe();
  const { signOut } = useSignOut();
  const isProofAsked = useIsProofAsked();
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  const enter = async () => {
    await readAgain();
    await router.navigate({ to: "/", replace: true });
  };
  return (
    <main className="flex h-dvh flex-col items-center overflow-y-auto px-4">
      <div className="m-auto flex w-full max-w-sm flex-col gap-4 py-8">
        <h1 className="text-2xl font-semibold">{codes ? t("security.codes") : t("security.needed")}</h1>
        <p className="text-sm text-muted">
          {codes ? t("security.codesSays") : t("security.neededSays", { tenant: tenant.name })}
        </p>
        {problem ? (
          <Notice tone="bad" isAlert>
            {errorText(new ApiError({ status: 0, code: problem }), t)}
          </Notice>
        ) : null}
        {codes ? (
          <RecoveryCodes codes={codes} onKept={() => void enter()} />
        ) : (
          <>
            <p className="text-sm text-muted">{t("security.scan")}</p>
            <SetUp onDone={setCodes} />
          </>
        )}
        {codes ? null : (
          <Button look="ghost" onClick={signOut}>
            {t("session.logOut")}
          </Button>
        )}
      </div>
      <Suspense fallback={null}>{isProofAsked ? <Proof /> : null}</Suspense>
    </main>
  );
}
