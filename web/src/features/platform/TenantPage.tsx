import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input, Select } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { Failed, Loading } from "@/components/ui/states";
import { OPERATIONS } from "@/features/operations/session";
import { client, type Schemas } from "@/lib/api/client";
import { useFormats } from "@/lib/format";
import { useTitle } from "@/lib/title";

import { Ask } from "./Ask";
import { MonthOf } from "./Month";
import { usePlans } from "./plans";
import { TenantStateBadge } from "./state";
import { TenantUsers } from "./TenantUsers";
import { Days, Totals } from "./Usage";

type Tenant = Schemas["Tenant"];

/** One tenant: how it stands, what it uses, and who is in it. */
export function TenantPage() {
  const { t } = useTranslation();
  const { tenantId } = useParams({ from: "/operations/tenants/$tenantId" });
  const tenant = useQuery({
    queryKey: [OPERATIONS, "tenant", tenantId],
    queryFn: async () =>
      (await client.GET("/api/v1/platform/tenants/{id}", { params: { path: { id: tenantId } } })).data,
  });
  useTitle(tenant.data?.name ?? t("platform.tenants.title"));
  if (tenant.isPending) return <Loading />;
  if (!tenant.data) return <Failed error={tenant.error} retry={() => void tenant.refetch()} />;
  return (
    <>
      <div className="flex flex-wrap items-center gap-2">
        <Link to="/operations/tenants" className="text-sm text-muted hover:underline">
          {t("platform.tenants.title")}
        </Link>
        <h1 className="w-full text-lg font-semibold [overflow-wrap:anywhere]">{tenant.data.name}</h1>
      </div>
      <Facts tenant={tenant.data} />
      <UsageOf id={tenantId} />
      <TenantUsers tenant={tenant.data} />
    </>
  );
}

type Open = "change" | "suspend" | "activate" | "close" | null;

function Facts({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const [open, setOpen] = useState<Open>(null);
  const { state } = tenant;
  const facts: [string, ReactNode][] = [
    [t("operations.state"), <TenantStateBadge key="state" state={state} />],
    [t("platform.tenants.slug"), tenant.slug],
    [t("platform.plan"), tenant.plan],
    [t("platform.tenants.region"), tenant.region],
    [t("platform.tenants.zone"), tenant.time_zone],
    [t("platform.made"), formats.dateTime(tenant.created_at)],
  ];
  if (tenant.state_at) {
    facts.push([
      t("platform.tenants.since"),
      `${formats.dateTime(tenant.state_at)} · ${tenant.state_reason ?? ""}`,
    ]);
  }
  return (
    <Panel
      title={t("platform.tenants.facts")}
      aside={
        <div className="flex flex-wrap gap-2">
          <Button size="sm" onClick={() => setOpen("change")}>
            {t("platform.change")}
          </Button>
          {state === "active" ? null : (
            <Button size="sm" look="solid" onClick={() => setOpen("activate")}>
              {t("platform.tenants.activate")}
            </Button>
          )}
          {state === "active" || state === "past_due" ? (
            <Button size="sm" look="danger" onClick={() => setOpen("suspend")}>
              {t("platform.tenants.suspend")}
            </Button>
          ) : null}
          {state === "closed" ? null : (
            <Button size="sm" look="danger" onClick={() => setOpen("close")}>
              {t("platform.tenants.close")}
            </Button>
          )}
        </div>
      }
    >
      <dl className="grid grid-cols-1 gap-x-6 gap-y-3 text-sm sm:grid-cols-2 lg:grid-cols-3">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt className="text-xs text-faint">{name}</dt>
            <dd className="[overflow-wrap:anywhere]">{value}</dd>
          </div>
        ))}
      </dl>
      <Acts tenant={tenant} open={open} onClose={() => setOpen(null)} />
    </Panel>
  );
}

function Acts({ tenant, open, onClose }: { tenant: Tenant; open: Open; onClose: () => void }) {
  const { t } = useTranslation();
  const params = { path: { id: tenant.id } };
  if (open === "change") return <Change tenant={tenant} onClose={onClose} />;
  if (open === "close") {
    return (
      <Ask
        title={`${t("platform.tenants.close")}: ${tenant.name}`}
        description={t("platform.tenants.closeAbout")}
        act={t("platform.tenants.close")}
        isDangerous
        onClose={onClose}
        run={(given) =>
          client.POST("/api/v1/platform/tenants/{id}/close", {
            params,
            body: { reason: given("reason"), slug: given("slug") },
          })
        }
      >
        {(errorAt) => (
          <Field label={t("platform.tenants.typeSlug", { slug: tenant.slug })} error={errorAt("slug")}>
            <Input name="slug" required data-first autoComplete="off" />
          </Field>
        )}
      </Ask>
    );
  }
  if (open === "suspend") {
    return (
      <Ask
        title={`${t("platform.tenants.suspend")}: ${tenant.name}`}
        description={t("platform.tenants.suspendAbout")}
        act={t("platform.tenants.suspend")}
        isDangerous
        onClose={onClose}
        run={(given) =>
          client.POST("/api/v1/platform/tenants/{id}/suspend", { params, body: { reason: given("reason") } })
        }
      />
    );
  }
  if (open === "activate") {
    return (
      <Ask
        title={`${t("platform.tenants.activate")}: ${tenant.name}`}
        description={t("platform.tenants.activateAbout")}
        act={t("platform.tenants.activate")}
        onClose={onClose}
        run={(given) =>
          client.POST("/api/v1/platform/tenants/{id}/activate", { params, body: { reason: given("reason") } })
        }
      />
    );
  }
  return null;
}

function Change({ tenant, onClose }: { tenant: Tenant; onClose: () => void }) {
  const { t } = useTranslation();
  const plans = usePlans();
  return (
    <Ask
      title={`${t("platform.change")}: ${tenant.name}`}
      act={t("common.save")}
      onClose={onClose}
      run={(given) =>
        client.PATCH("/api/v1/platform/tenants/{id}", {
          params: { path: { id: tenant.id } },
          body: {
            reason: given("reason"),
            change: {
              name: given("name"),
              region: given("region").toUpperCase(),
              time_zone: given("time_zone"),
              plan: given("plan") || tenant.plan,
            },
          },
        })
      }
    >
      {(errorAt) => (
        <>
          <Field label={t("platform.name")} error={errorAt("name")}>
            <Input
              name="name"
              required
              maxLength={200}
              defaultValue={tenant.name}
              data-first
              autoComplete="off"
            />
          </Field>
          <Field label={t("platform.plan")} hint={t("platform.tenants.planHint")} error={errorAt("plan")}>
            <Select name="plan" key={plans.length} defaultValue={tenant.plan}>
              {plans.map(({ code, name }) => (
                <option key={code} value={code}>
                  {name}
                </option>
              ))}
            </Select>
          </Field>
          <Field label={t("platform.tenants.region")} error={errorAt("region")}>
            <Input name="region" required maxLength={2} defaultValue={tenant.region} autoComplete="off" />
          </Field>
          <Field label={t("platform.tenants.zone")} error={errorAt("time_zone")}>
            <Input name="time_zone" required defaultValue={tenant.time_zone} autoComplete="off" />
          </Field>
        </>
      )}
    </Ask>
  );
}

function UsageOf({ id }: { id: string }) {
  const { t } = useTranslation();
  const [month, setMonth] = useState<string | undefined>();
  const usage = useQuery({
    queryKey: [OPERATIONS, "usage", id, month ?? ""],
    queryFn: async () =>
      (
        await client.GET("/api/v1/platform/tenants/{id}/usage", {
          params: { path: { id }, query: month ? { month } : {} },
        })
      ).data,
  });
  return (
    <Panel
      title={t("usage.title")}
      aside={usage.data ? <MonthOf month={usage.data.month.slice(0, 7)} onChange={setMonth} /> : null}
    >
      {usage.data ? (
        <div className="flex flex-col gap-4">
          <Totals of={usage.data.total} />
          <Days days={usage.data.days} />
        </div>
      ) : usage.isPending ? (
        <Loading />
      ) : (
        <Failed error={usage.error} retry={() => void usage.refetch()} />
      )}
    </Panel>
  );
}
