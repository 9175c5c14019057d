import { DoorOpen } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Badge } from "@/components/ui/badge";
import { client, type Schemas } from "@/lib/api/client";
import { useFormats } from "@/lib/format";
import { useTitle } from "@/lib/title";

import { type Act, Acts } from "./Acts";
import { Rows, useRows } from "./Rows";
import { Whose } from "./states";

/** What lets jobs through to a service outside: its rate, its cap, its breaker. */
export function GatesPage() {
  const { t } = useTranslation();
  useTitle(t("operations.tabs.gates"));
  const formats = useFormats();
  const gates = useRows(["gates"], (query) => client.GET("/api/v1/platform/gates", { params: { query } }));
  const acts = useGateActs();
  return (
    <>
      <h1 className="sr-only">{t("operations.tabs.gates")}</h1>
      <Rows
        title={t("operations.tabs.gates")}
        icon={DoorOpen}
        pages={gates}
        keyOf={(gate) => gate.id}
        empty={t("operations.gates.empty")}
        columns={[
          {
            head: t("operations.gates.gate"),
            cell: (gate) => (
              <div>
                <p className="font-medium max-sm:w-40 max-sm:whitespace-normal max-sm:[overflow-wrap:anywhere]">
                  {gate.key}
                </p>
                <p className="text-xs text-faint">
                  <Whose tenant={gate.tenant_number} />
                </p>
              </div>
            ),
          },
          {
            head: t("operations.state"),
            cell: (gate) => (
              <div className="max-w-96 whitespace-normal">
                <GateState gate={gate} />
                {gate.reason ? <p className="mt-1 text-xs text-muted">{gate.reason}</p> : null}
              </div>
            ),
          },
          {
            head: t("operations.gates.rate"),
            isNumber: true,
            cell: (gate) =>
              gate.rate == null
                ? t("operations.gates.unlimited")
                : t("operations.gates.perMinute", { n: formats.decimal(gate.rate * 60) }),
          },
          {
            head: t("operations.gates.tokens"),
            isNumber: true,
            isExtra: true,
            cell: (gate) =>
              gate.rate == null
                ? "—"
                : `${formats.number(Math.floor(gate.tokens))} / ${formats.number(gate.burst)}`,
          },
          {
            head: t("operations.gates.cap"),
            isNumber: true,
            isExtra: true,
            cell: (gate) =>
              gate.cap == null ? "—" : `${formats.number(gate.running)} / ${formats.number(gate.cap)}`,
          },
          {
            head: t("operations.acts"),
            isNumber: true,
            cell: (gate) => <Acts of={gate.key} acts={acts(gate)} />,
          },
        ]}
      />
    </>
  );
}

function GateState({ gate }: { gate: Schemas["Gate"] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const until = (at: string) => formats.dateTime(at);
  if (gate.paused_at) return <Badge tone="warn">{t("operations.gates.paused")}</Badge>;
  if (gate.breaker === "half_open") return <Badge tone="warn">{t("operations.gates.halfOpen")}</Badge>;
  if (gate.breaker === "open")
    return (
      <Badge tone="bad">
        {gate.open_until
          ? t("operations.gates.breakerUntil", { at: until(gate.open_until) })
          : t("operations.gates.breaker")}
      </Badge>
    );
  if (gate.rests_until)
    return <Badge tone="warn">{t("operations.gates.rests", { at: until(gate.rests_until) })}</Badge>;
  if (gate.spent_until)
    return <Badge tone="warn">{t("operations.gates.spent", { at: until(gate.spent_until) })}</Badge>;
  return <Badge tone="ok">{t("operations.gates.open")}</Badge>;
}

function useGateActs(): (gate: Schemas["Gate"]) => Act[] {
  const { t } = useTranslation();
  return ({ id, paused_at, breaker }) => {
    const params = { path: { id } };
    const act: Act = paused_at
      ? {
          name: t("common.resume"),
          about: t("operations.gates.resumeAbout"),
          run: (body) => client.POST("/api/v1/platform/gates/{id}/resume", { params, body }),
        }
      : {
          name: t("common.pause"),
          about: t("operations.gates.pauseAbout"),
          run: (body) => client.POST("/api/v1/platform/gates/{id}/pause", { params, body }),
        };
    if (breaker === "closed") return [act];
    const close: Act = {
      name: t("operations.gates.close"),
      about: t("operations.gates.closeAbout"),
      run: (body) => client.POST("/api/v1/platform/gates/{id}/close", { params, body }),
    };
    return [act, close];
  };
}
