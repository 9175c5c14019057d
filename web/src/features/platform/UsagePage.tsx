import { Link } from "@tanstack/react-router";
import { ChartColumn } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Rows, useRows } from "@/features/operations/Rows";
import { client } from "@/lib/api/client";
import { useTitle } from "@/lib/title";

import { MonthOf } from "./Month";
import { MEASURES, useFigure } from "./Usage";

/** What all tenants have used in a month. */
export function UsagePage() {
  const { t } = useTranslation();
  useTitle(t("usage.title"));
  const figure = useFigure();
  const [month, setMonth] = useState(() => new Date().toISOString().slice(0, 7));
  const usage = useRows(["usage", month], (query) =>
    client.GET("/api/v1/platform/usage", { params: { query: { ...query, month } } }),
  );
  return (
    <>
      <h1 className="sr-only">{t("usage.title")}</h1>
      <Rows
        title={t("usage.title")}
        aside={<MonthOf month={month} onChange={setMonth} />}
        icon={ChartColumn}
        pages={usage}
        keyOf={({ tenant_id }) => tenant_id}
        empty={t("platform.tenants.empty")}
        columns={[
          {
            head: t("platform.tenants.tenant"),
            cell: ({ tenant_id, tenant_name, plan }) => (
              <div className="max-sm:w-36 max-sm:whitespace-normal">
                <Link
                  to="/operations/tenants/$tenantId"
                  params={{ tenantId: tenant_id }}
                  className="font-medium [overflow-wrap:anywhere] hover:underline"
                >
                  {tenant_name}
                </Link>
                <p className="text-xs text-faint">{plan}</p>
              </div>
            ),
          },
          ...MEASURES.map((measure, place) => ({
            head: t(`usage.measures.${measure}`),
            isNumber: true,
            isExtra: place > 1,
            cell: (row: (typeof usage.data & object)["pages"][number]["items"][number]) =>
              figure(measure, row[measure]),
          })),
        ]}
      />
    </>
  );
}
