import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Building2, Plus } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Input, Select } from "@/components/ui/input";
import { Rows, useRows } from "@/features/operations/Rows";
import { client } from "@/lib/api/client";
import { useFormats } from "@/lib/format";
import { useTitle } from "@/lib/title";
import type { TenantsSearch } from "@/routes/search";

import { NewTenant } from "./NewTenant";
import { TENANT_STATES, TenantStateBadge } from "./state";

/** The customers of the platform. */
export function TenantsPage() {
  const { t } = useTranslation();
  useTitle(t("platform.tenants.title"));
  const formats = useFormats();
  const { q, state } = useSearch({ from: "/operations/tenants" });
  const [isNew, setNew] = useState(false);
  const tenants = useRows(["tenants", q ?? "", state ?? ""], (query) =>
    client.GET("/api/v1/platform/tenants", {
      params: { query: { ...query, ...(q ? { search: q } : {}), ...(state ? { state } : {}) } },
    }),
  );
  return (
    <>
      <h1 className="sr-only">{t("platform.tenants.title")}</h1>
      <Rows
        title={t("platform.tenants.title")}
        aside={<Filters q={q} state={state} onNew={() => setNew(true)} />}
        icon={Building2}
        pages={tenants}
        keyOf={({ id }) => id}
        empty={t("platform.tenants.empty")}
        columns={[
          {
            head: t("platform.tenants.tenant"),
            cell: ({ id, name, slug }) => (
              <div className="max-sm:w-40 max-sm:whitespace-normal">
                <Link
                  to="/operations/tenants/$tenantId"
                  params={{ tenantId: id }}
                  className="font-medium [overflow-wrap:anywhere] hover:underline"
                >
                  {name}
                </Link>
                <p className="text-xs text-faint">{slug}</p>
              </div>
            ),
          },
          { head: t("operations.state"), cell: (tenant) => <TenantStateBadge state={tenant.state} /> },
          { head: t("platform.plan"), cell: ({ plan }) => plan },
          {
            head: t("platform.tenants.zone"),
            isExtra: true,
            cell: ({ region, time_zone }) => `${region} · ${time_zone}`,
          },
          {
            head: t("platform.made"),
            isExtra: true,
            cell: ({ created_at }) => formats.date(created_at),
          },
        ]}
      />
      {isNew ? <NewTenant onClose={() => setNew(false)} /> : null}
    </>
  );
}

function Filters({ q, state, onNew }: TenantsSearch & { onNew: () => void }) {
  const { t } = useTranslation();
  const navigate = useNavigate({ from: "/operations/tenants" });
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const search = String(new FormData(event.currentTarget).get("q") ?? "").trim();
    void navigate({ search: { state, q: search || undefined } });
  };
  return (
    <div className="flex flex-wrap items-center gap-2">
      <form role="search" onSubmit={onSubmit}>
        <Input
          key={q ?? ""}
          name="q"
          type="search"
          defaultValue={q}
          aria-label={t("platform.tenants.search")}
          placeholder={t("platform.tenants.search")}
          className="w-44"
        />
      </form>
      <Select
        aria-label={t("operations.state")}
        value={state ?? ""}
        className="w-auto"
        onChange={({ target }) =>
          void navigate({ search: { q, state: TENANT_STATES.find((one) => one === target.value) } })
        }
      >
        <option value="">{t("platform.tenants.all")}</option>
        {TENANT_STATES.map((one) => (
          <option key={one} value={one}>
            {t(`platform.states.${one}`)}
          </option>
        ))}
      </Select>
      <Button look="solid" size="sm" onClick={onNew}>
        <Plus aria-hidden />
        {t("platform.tenants.new")}
      </Button>
    </div>
  );
}
