import { ScrollText } from "lucide-react";
import { useTranslation } from "react-i18next";

import { client } from "@/lib/api/client";
import { useFormats } from "@/lib/format";
import { useTitle } from "@/lib/title";

import { Rows, useRows } from "./Rows";
import { Whose } from "./states";

/** Who did what to the queue, and why. */
export function AuditPage() {
  const { t } = useTranslation();
  useTitle(t("operations.tabs.audit"));
  const formats = useFormats();
  const audit = useRows(["audit"], (query) => client.GET("/api/v1/platform/audit", { params: { query } }));
  return (
    <>
      <h1 className="sr-only">{t("operations.tabs.audit")}</h1>
      <Rows
        title={t("operations.tabs.audit")}
        icon={ScrollText}
        pages={audit}
        keyOf={(row) => row.id}
        empty={t("operations.audit.empty")}
        columns={[
          { head: t("operations.audit.at"), cell: (row) => formats.dateTime(row.at) },
          { head: t("operations.audit.actor"), isExtra: true, cell: (row) => row.actor },
          {
            head: t("operations.audit.act"),
            cell: (row) => (
              <div>
                <p className="font-medium">{`${row.act} · ${row.subject} ${row.subject_id}`}</p>
                <p className="text-xs text-faint">
                  <Whose tenant={row.tenant_number} />
                </p>
              </div>
            ),
          },
          {
            head: t("operations.reason"),
            cell: (row) => (
              <p className="max-w-md whitespace-normal [overflow-wrap:anywhere]">{row.reason}</p>
            ),
          },
        ]}
      />
    </>
  );
}
