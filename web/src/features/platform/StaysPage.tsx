import { LogIn } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Badge } from "@/components/ui/badge";
import { Acts } from "@/features/operations/Acts";
import { Rows, useRows } from "@/features/operations/Rows";
import { client } from "@/lib/api/client";
import { useFormats } from "@/lib/format";
import { useTitle } from "@/lib/title";

/** Operators who are or were inside tenants. */
export function StaysPage() {
  const { t } = useTranslation();
  useTitle(t("platform.stays.title"));
  const formats = useFormats();
  const stays = useRows(["impersonations"], (query) =>
    client.GET("/api/v1/platform/impersonations", { params: { query } }),
  );
  const isOpen = (stay: { ended_at?: string | null; expires_at: string }) =>
    !stay.ended_at && new Date(stay.expires_at) > new Date();
  return (
    <>
      <h1 className="sr-only">{t("platform.stays.title")}</h1>
      <Rows
        title={t("platform.stays.title")}
        icon={LogIn}
        pages={stays}
        keyOf={({ id }) => id}
        empty={t("platform.stays.empty")}
        columns={[
          {
            head: t("platform.stays.where"),
            cell: (stay) => (
              <div className="max-sm:w-40 max-sm:whitespace-normal max-sm:[overflow-wrap:anywhere]">
                <p className="font-medium">{stay.tenant_name}</p>
                <p className="text-xs text-faint">
                  {t("platform.stays.as", { operator: stay.operator_name, user: stay.user_name })}
                </p>
              </div>
            ),
          },
          {
            head: t("operations.state"),
            cell: (stay) =>
              isOpen(stay) ? (
                <Badge tone="warn">{t("platform.stays.open")}</Badge>
              ) : (
                <Badge>{t("platform.stays.over")}</Badge>
              ),
          },
          {
            head: t("operations.reason"),
            isExtra: true,
            cell: ({ reason }) => (
              <p className="max-w-md whitespace-normal [overflow-wrap:anywhere]">{reason}</p>
            ),
          },
          {
            head: t("platform.stays.since"),
            isExtra: true,
            cell: ({ created_at }) => formats.dateTime(created_at),
          },
          {
            head: t("operations.acts"),
            isNumber: true,
            cell: (stay) => (
              <Acts
                of={stay.tenant_name}
                acts={
                  isOpen(stay)
                    ? [
                        {
                          name: t("platform.stays.end"),
                          about: t("platform.stays.endAbout"),
                          run: (body) =>
                            client.POST("/api/v1/platform/impersonations/{id}/end", {
                              params: { path: { id: stay.id } },
                              body,
                            }),
                        },
                      ]
                    : []
                }
              />
            ),
          },
        ]}
      />
    </>
  );
}
