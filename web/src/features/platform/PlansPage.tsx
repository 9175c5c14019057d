import { Plus, Tags } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Rows, useRows } from "@/features/operations/Rows";
import { client, type Schemas } from "@/lib/api/client";
import { useFormats } from "@/lib/format";
import { useTitle } from "@/lib/title";

import { Ask, type Given } from "./Ask";
import { LIMITS } from "./plans";

type Plan = Schemas["Plan"];

/** How much tenants may have. */
export function PlansPage() {
  const { t } = useTranslation();
  useTitle(t("platform.plans.title"));
  const formats = useFormats();
  const [open, setOpen] = useState<Plan | "new" | null>(null);
  const plans = useRows(["plans"], (query) => client.GET("/api/v1/platform/plans", { params: { query } }));
  const figure = (limit: (typeof LIMITS)[number], most: number) =>
    limit === "most_storage_bytes" ? formats.bytes(most) : formats.number(most);
  const limitsOf = (plan: Plan) => {
    const told = LIMITS.flatMap((limit) => {
      const most = plan.limits[limit];
      return typeof most === "number" ? [`${t(`platform.limits.${limit}`)}: ${figure(limit, most)}`] : [];
    });
    return told.length > 0 ? told.join(" · ") : t("platform.plans.unlimited");
  };
  return (
    <>
      <h1 className="sr-only">{t("platform.plans.title")}</h1>
      <Rows
        title={t("platform.plans.title")}
        aside={
          <Button look="solid" size="sm" onClick={() => setOpen("new")}>
            <Plus aria-hidden />
            {t("platform.plans.new")}
          </Button>
        }
        icon={Tags}
        pages={plans}
        keyOf={({ code }) => code}
        empty={t("platform.plans.empty")}
        columns={[
          {
            head: t("platform.plan"),
            cell: ({ name, code }) => (
              <div>
                <p className="font-medium">{name}</p>
                <p className="text-xs text-faint">{code}</p>
              </div>
            ),
          },
          {
            head: t("platform.plans.allows"),
            cell: (plan) => <p className="max-w-xl whitespace-normal">{limitsOf(plan)}</p>,
          },
          {
            head: t("operations.acts"),
            isNumber: true,
            cell: (plan) => (
              <Button
                size="sm"
                aria-label={`${t("platform.change")}: ${plan.name}`}
                onClick={() => setOpen(plan)}
              >
                {t("platform.change")}
              </Button>
            ),
          },
        ]}
      />
      {open ? <PlanForm plan={open === "new" ? null : open} onClose={() => setOpen(null)} /> : null}
    </>
  );
}

/** What stands in the fields; an empty one is no limit. */
function limits(given: Given): Schemas["PlanLimits"] {
  const most = (limit: (typeof LIMITS)[number]) => (given(limit) === "" ? null : Number(given(limit)));
  return {
    most_users: most("most_users"),
    most_lines: most("most_lines"),
    most_contacts: most("most_contacts"),
    most_messages: most("most_messages"),
    most_campaigns: most("most_campaigns"),
    most_storage_bytes: most("most_storage_bytes"),
    most_ai_tokens: most("most_ai_tokens"),
  };
}

function PlanForm({ plan, onClose }: { plan: Plan | null; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Ask
      title={plan ? `${t("platform.change")}: ${plan.name}` : t("platform.plans.new")}
      description={plan ? t("platform.plans.changeAbout") : undefined}
      act={t("common.save")}
      onClose={onClose}
      run={(given) => {
        const body = { name: given("name"), limits: limits(given), reason: given("reason") };
        return plan
          ? client.PUT("/api/v1/platform/plans/{code}", { params: { path: { code: plan.code } }, body })
          : client.POST("/api/v1/platform/plans", { body: { ...body, code: given("code") } });
      }}
    >
      {(errorAt) => (
        <>
          <Field label={t("platform.name")} error={errorAt("name")}>
            <Input
              name="name"
              required
              maxLength={200}
              defaultValue={plan?.name}
              data-first
              autoComplete="off"
            />
          </Field>
          {plan ? null : (
            <Field
              label={t("platform.plans.code")}
              hint={t("platform.tenants.slugHint")}
              error={errorAt("code")}
            >
              <Input name="code" required maxLength={63} pattern="[a-z0-9][a-z0-9\-]*" autoComplete="off" />
            </Field>
          )}
          <p className="text-sm text-muted">{t("platform.plans.emptyIsNone")}</p>
          <div className="grid grid-cols-1 gap-3 sm:grid-cols-2">
            {LIMITS.map((limit) => (
              <Field key={limit} label={t(`platform.limits.${limit}`)} error={errorAt(limit)}>
                <Input
                  name={limit}
                  type="number"
                  min={limit === "most_users" ? 1 : 0}
                  step={1}
                  defaultValue={plan?.limits[limit] ?? undefined}
                />
              </Field>
            ))}
          </div>
        </>
      )}
    </Ask>
  );
}
