import { useTranslation } from "react-i18next";

import { useFormats } from "@/lib/format";

import type { Import } from "./state";

/** What became of the rows: each is in one of these, but for the warnings, whose rows were taken. */
export function Figures({ of }: { of: Import }) {
  const { t } = useTranslation();
  return (
    <dl className="grid grid-cols-2 gap-x-4 gap-y-4 sm:grid-cols-4">
      <Figure name={t("imports.created")} value={of.created_count} className="text-ok" />
      <Figure name={t("imports.updated")} value={of.updated_count} />
      <Figure name={t("imports.skipped")} value={of.skipped_count} />
      <Figure name={t("imports.duplicates")} value={of.duplicate_count} />
      <Figure
        name={t("imports.invalid")}
        value={of.invalid_count}
        className={of.invalid_count ? "text-bad" : ""}
      />
      <Figure name={t("imports.withoutAddress")} value={of.empty_count} />
      <Figure
        name={t("imports.warnings")}
        value={of.warning_count}
        className={of.warning_count ? "text-warn" : ""}
      />
      <Figure name={t("imports.rows")} value={of.row_count} />
    </dl>
  );
}

function Figure({ name, value, className }: { name: string; value: number; className?: string }) {
  const formats = useFormats();
  return (
    <div>
      <dt className="text-xs text-faint">{name}</dt>
      <dd className={`mt-0.5 text-xl font-semibold figures ${className ?? ""}`}>{formats.number(value)}</dd>
    </div>
  );
}
