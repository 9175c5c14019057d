import { useSearch } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import { Page } from "@/components/page";
import { Notice } from "@/components/ui/notice";
import { ApiError, errorText } from "@/lib/api/error";
import { useMay } from "@/lib/session";

import { ApiKeys } from "./ApiKeys";
import { Identities } from "./Identities";
import { IdentityProviders } from "./IdentityProviders";
import { Password } from "./Password";
import { Policy } from "./Policy";
import { SecondFactor } from "./SecondFactor";
import { Sessions } from "./Sessions";

/** How somebody logs in: the second factor, the password, who else knows them, where they are logged in; the account's keys, and what it asks of everybody. */
export function SecurityPage() {
  const { t } = useTranslation();
  const may = useMay();
  const { problem, done } = useSearch({ from: "/app/settings/security" });
  return (
    <Page title={t("security.title")}>
      <div className="flex max-w-3xl flex-col gap-4">
        {problem ? (
          <Notice tone="bad" isAlert>
            {errorText(new ApiError({ status: 0, code: problem }), t)}
          </Notice>
        ) : done ? (
          <Notice tone="info">{t(done === "linked" ? "providers.linked" : "providers.proven")}</Notice>
        ) : null}
        <SecondFactor />
        <Password />
        <Identities />
        <Sessions />
        {may("admin.api_keys_manage") ? <ApiKeys /> : null}
        {may("admin.settings_view") ? (
          <>
            <Policy />
            <IdentityProviders />
          </>
        ) : null}
      </div>
    </Page>
  );
}
