import { ShieldUser, UserPlus } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { type Act, Acts } from "@/features/operations/Acts";
import { Rows, useRows } from "@/features/operations/Rows";
import { client, type Schemas } from "@/lib/api/client";
import { useFormats } from "@/lib/format";
import { useTitle } from "@/lib/title";

import { Ask } from "./Ask";

type Invited = Schemas["OperatorInvited"];

/** The people who operate the platform. */
export function OperatorsPage() {
  const { t } = useTranslation();
  useTitle(t("platform.operators.title"));
  const formats = useFormats();
  const [isInviting, setInviting] = useState(false);
  const [invited, setInvited] = useState<Invited | null>(null);
  const operators = useRows(["operators"], (query) =>
    client.GET("/api/v1/platform/operators", { params: { query } }),
  );
  const acts = useOperatorActs(setInvited);
  return (
    <>
      <h1 className="sr-only">{t("platform.operators.title")}</h1>
      <Rows
        title={t("platform.operators.title")}
        aside={
          <Button look="solid" size="sm" onClick={() => setInviting(true)}>
            <UserPlus aria-hidden />
            {t("platform.operators.invite")}
          </Button>
        }
        icon={ShieldUser}
        pages={operators}
        keyOf={({ id }) => id}
        empty={t("platform.operators.empty")}
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
          { head: t("operations.state"), cell: (operator) => <State operator={operator} /> },
          { head: t("platform.made"), isExtra: true, cell: ({ created_at }) => formats.date(created_at) },
          {
            head: t("operations.acts"),
            isNumber: true,
            cell: (operator) => <Acts of={operator.name} acts={acts(operator)} />,
          },
        ]}
      />
      {isInviting ? (
        <Ask
          title={t("platform.operators.invite")}
          description={t("platform.operators.inviteAbout")}
          act={t("platform.operators.invite")}
          onClose={() => setInviting(false)}
          run={async (given) => {
            const body = { name: given("name"), email: given("email"), reason: given("reason") };
            setInvited((await client.POST("/api/v1/platform/operators", { body })).data ?? null);
          }}
        >
          {(errorAt) => (
            <>
              <Field label={t("platform.name")} error={errorAt("name")}>
                <Input name="name" required maxLength={200} data-first autoComplete="off" />
              </Field>
              <Field label={t("platform.email")} error={errorAt("email")}>
                <Input name="email" type="email" required autoComplete="off" />
              </Field>
            </>
          )}
        </Ask>
      ) : null}
      {invited ? <LinkShown invited={invited} onClose={() => setInvited(null)} /> : null}
    </>
  );
}

function State({ operator }: { operator: Schemas["PlatformOperator"] }) {
  const { t } = useTranslation();
  if (operator.disabled_at) return <Badge>{t("platform.operators.disabled")}</Badge>;
  if (operator.is_invited) return <Badge tone="info">{t("platform.operators.invited")}</Badge>;
  return <Badge tone="ok">{t("platform.operators.active")}</Badge>;
}

function useOperatorActs(onInvited: (invited: Invited) => void) {
  const { t } = useTranslation();
  return ({ id, disabled_at }: Schemas["PlatformOperator"]): Act[] => {
    const params = { path: { id } };
    if (disabled_at) {
      return [
        {
          name: t("platform.operators.enable"),
          about: t("platform.operators.enableAbout"),
          run: (body) => client.POST("/api/v1/platform/operators/{id}/enable", { params, body }),
        },
      ];
    }
    return [
      {
        name: t("platform.operators.link"),
        about: t("platform.operators.linkAbout"),
        run: async (body) => {
          const { data } = await client.POST("/api/v1/platform/operators/{id}/link", { params, body });
          if (data) onInvited(data);
        },
      },
      {
        name: t("platform.operators.disable"),
        about: t("platform.operators.disableAbout"),
        isDangerous: true,
        run: (body) => client.POST("/api/v1/platform/operators/{id}/disable", { params, body }),
      },
    ];
  };
}

/** The link, which is shown this once: the server keeps only its hash. */
function LinkShown({ invited, onClose }: { invited: Invited; onClose: () => void }) {
  const { t } = useTranslation();
  const formats = useFormats();
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={t("platform.operators.linkOf", { name: invited.name })}
      description={t("platform.operators.linkSays", { until: formats.dateTime(invited.link_expires_at) })}
      footer={<Button onClick={onClose}>{t("common.close")}</Button>}
    >
      <Field label={t("platform.operators.linkField")}>
        <Input
          readOnly
          value={invited.link_url}
          data-first
          className="text-sm"
          onFocus={({ currentTarget }) => currentTarget.select()}
        />
      </Field>
    </Dialog>
  );
}
