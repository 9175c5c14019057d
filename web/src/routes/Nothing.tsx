import { Lock } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Empty } from "@/components/ui/states";

/** Somebody is logged in whose role shows none of the areas. */
export function Nothing() {
  const { t } = useTranslation();
  return (
    <Empty icon={Lock} title={t("states.nothing")}>
      {t("states.forbiddenNext")}
    </Empty>
  );
}
