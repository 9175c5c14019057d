import { useTranslation } from "react-i18next";

import { SettingsForm } from "./SettingsForm";

/** What holds for the whole account, and for each of its organizations that sets nothing else. */
export function GeneralPage() {
  const { t } = useTranslation();
  return (
    <SettingsForm level={undefined} title={t("organizations.general")}>
      <p className="text-sm text-muted">{t("organizations.generalSays")}</p>
    </SettingsForm>
  );
}
