import { useTranslation } from "react-i18next";

import { Page } from "@/components/page";
import { useMay } from "@/lib/session";

import { ApiKeys } from "./ApiKeys";
import { Password } from "./Password";
import { Policy } from "./Policy";
import { SecondFactor } from "./SecondFactor";
import { Sessions } from "./Sessions";

/** How somebody logs in: the second factor, the password, where they are logged in; the account's keys, and what it asks of everybody. */
export function SecurityPage() {
  const { t } = useTranslation();
  const may = useMay();
  return (
    <Page title={t("security.title")}>
      <div className="flex max-w-3xl flex-col gap-4">
        <SecondFactor />
        <Password />
        <Sessions />
        {may("admin.api_keys_manage") ? <ApiKeys /> : null}
        {may("admin.settings_view") ? <Policy /> : null}
      </div>
    </Page>
  );
}
