import { Layers, Server } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Badge } from "@/components/ui/badge";
import { Notice } from "@/components/ui/notice";
import { api, client, type Schemas } from "@/lib/api/client";
import { useFormats } from "@/lib/format";
import { useTitle } from "@/lib/title";

import { Rows, useRows } from "./Rows";

/** What waits and runs in each queue, who serves it, and what holds its vacuum back. */
export function QueuesPage() {
  const { t } = useTranslation();
  useTitle(t("operations.tabs.queues"));
  const formats = useFormats();
  const queues = useRows(["queues"], (query) => client.GET("/api/v1/platform/queues", { params: { query } }));
  const count = (value: number, isEstimated: boolean) =>
    isEstimated ? t("operations.about", { n: formats.number(value) }) : formats.number(value);
  const age = (seconds: number) => (seconds > 0 ? formats.duration(seconds) : "—");
  return (
    <>
      <h1 className="sr-only">{t("operations.tabs.queues")}</h1>
      <Horizon />
      <Rows
        title={t("operations.tabs.queues")}
        icon={Layers}
        pages={queues}
        keyOf={(row) => row.queue}
        empty={t("operations.queues.empty")}
        columns={[
          {
            head: t("operations.queues.queue"),
            cell: (row) => <span className="font-medium">{row.queue}</span>,
          },
          {
            head: t("operations.queues.due"),
            isNumber: true,
            cell: (row) => count(row.due, row.is_due_estimated),
          },
          {
            head: t("operations.queues.running"),
            isNumber: true,
            cell: (row) => formats.number(row.running),
          },
          {
            head: t("operations.queues.scheduled"),
            isNumber: true,
            cell: (row) => count(row.scheduled, row.is_scheduled_estimated),
          },
          {
            head: t("operations.queues.oldestOpen"),
            isNumber: true,
            cell: (row) => <Age seconds={row.oldest_open_s} />,
          },
          {
            head: t("operations.queues.oldest"),
            isNumber: true,
            isExtra: true,
            cell: (row) => age(row.oldest_due_s),
          },
        ]}
      />
      <Workers />
    </>
  );
}

/** Work that nothing holds back and that nobody has begun is what an operator looks for. */
const LATE_S = 60;

function Age({ seconds }: { seconds: number }) {
  const formats = useFormats();
  if (seconds <= 0) return "—";
  const text = formats.duration(seconds);
  return seconds > LATE_S ? <Badge tone="warn">{text}</Badge> : text;
}

function Workers() {
  const { t } = useTranslation();
  const formats = useFormats();
  const workers = useRows(["workers"], (query) =>
    client.GET("/api/v1/platform/workers", { params: { query } }),
  );
  return (
    <Rows
      title={t("operations.workers.title")}
      icon={Server}
      pages={workers}
      keyOf={(row) => row.id}
      empty={t("operations.workers.empty")}
      columns={[
        {
          head: t("operations.workers.worker"),
          cell: (row) => (
            <div>
              <p className="font-medium">
                {row.name} <span className="text-faint">{`${row.host}:${row.pid}`}</span>
              </p>
              <p className="text-xs text-faint">{row.queues.join(", ")}</p>
            </div>
          ),
        },
        {
          head: t("operations.workers.state"),
          cell: (row) => (
            <Badge tone={row.is_live ? "ok" : "bad"}>
              {t(row.is_live ? "operations.workers.live" : "operations.workers.silent")}
            </Badge>
          ),
        },
        { head: t("operations.queues.running"), isNumber: true, cell: (row) => formats.number(row.running) },
        {
          head: t("operations.workers.oldest"),
          isExtra: true,
          cell: (row) => (row.oldest_leased_at ? formats.relative(row.oldest_leased_at) : "—"),
        },
        {
          head: t("operations.workers.started"),
          isExtra: true,
          cell: (row) => formats.relative(row.started_at),
        },
        { head: t("operations.workers.seen"), cell: (row) => formats.relative(row.seen_at) },
      ]}
    />
  );
}

function Horizon() {
  const { t } = useTranslation();
  const formats = useFormats();
  const { data } = api.useQuery("get", "/api/v1/platform/horizon", {}, { refetchInterval: 15_000 });
  const holder = data?.holders[0];
  if (!data?.is_old || !holder) return null;
  const who = (of: Schemas["VacuumHolder"]) =>
    [of.name, of.pid && `pid ${of.pid}`].filter(Boolean).join(", ");
  return (
    <Notice tone="warn">
      {t("operations.horizon", {
        what: t(`operations.holders.${holder.holder as "session" | "standby" | "slot" | "prepared"}`),
        who: who(holder),
        age: holder.age_s ? formats.duration(holder.age_s) : t("why.sometime"),
      })}
    </Notice>
  );
}
