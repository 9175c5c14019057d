import { LogIn, Users } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Rows, useRows } from "@/features/operations/Rows";
import { client, type Schemas } from "@/lib/api/client";
import { useRoleName } from "@/lib/session";

import { Ask } from "./Ask";

/** The people of a tenant, each of whom an operator can stand in for. */
export function TenantUsers({ tenant }: { tenant: Schemas["Tenant"] }) {
  const { t } = useTranslation();
  const roleName = useRoleName();
  const [as, setAs] = useState<Schemas["User"] | null>(null);
  const users = useRows(["tenant-users", tenant.id], (query) =>
    client.GET("/api/v1/platform/tenants/{id}/users", { params: { path: { id: tenant.id }, query } }),
  );
  const isOpen = tenant.state !== "closed";
  return (
    <>
      <Rows
        title={t("platform.users.title")}
        icon={Users}
        pages={users}
        keyOf={({ id }) => id}
        empty={t("platform.users.empty")}
        columns={[
          {
            head: t("platform.name"),
            cell: ({ name, email }) => (
              <div className="max-sm:w-40 max-sm:whitespace-normal max-sm:[overflow-wrap:anywhere]">
                <p className="font-medium">{name}</p>
                <p className="text-xs text-faint">{email}</p>
              </div>
            ),
          },
          { head: t("platform.users.role"), cell: roleName },
          {
            head: t("operations.acts"),
            isNumber: true,
            cell: (user) =>
              user.is_active && isOpen ? (
                <Button
                  size="sm"
                  aria-label={t("platform.stays.enterAs", { name: user.name })}
                  onClick={() => setAs(user)}
                >
                  <LogIn aria-hidden />
                  {t("platform.stays.enter")}
                </Button>
              ) : null,
          },
        ]}
      />
      {as ? (
        <Ask
          title={t("platform.stays.enterAs", { name: as.name })}
          description={t("platform.stays.about")}
          act={t("platform.stays.enter")}
          onClose={() => setAs(null)}
          run={(given) =>
            client.POST("/api/v1/platform/tenants/{id}/impersonations", {
              params: { path: { id: tenant.id } },
              body: { user_id: as.id, reason: given("reason") },
            })
          }
          // another person is logged in from here on: nothing of before stays in memory
          onDone={() => window.location.assign("/")}
        />
      ) : null}
    </>
  );
}
