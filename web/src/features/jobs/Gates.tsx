import { Gauge } from "lucide-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";

import type { Column } from "@/components/ui/data-table";
import { client } from "@/lib/api/client";
import { PAGE_ROWS, usePages } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { useFormats } from "@/lib/format";
import { useEvent } from "@/lib/live";

import { Listed } from "./Listed";
import { type Gate, GateState } from "./state";
import { useLaneName } from "./useLaneName";

export function Gates() {
  const { t } = useTranslation();
  const formats = useFormats();
  const nameOf = useLaneName();
  const pages = usePages(["gates"], (cursor, signal) =>
    client.GET("/api/v1/gates", { params: { query: { cursor, limit: PAGE_ROWS } }, signal }),
  );
  const renew = () => void queryClient.invalidateQueries({ queryKey: ["pages", "gates"] });
  useEvent("breaker.opened", renew);
  useEvent("breaker.closed", renew);
  const columns = useMemo<Column<Gate>[]>(
    () => [
      {
        id: "key",
        header: t("jobs.gate"),
        className: "w-[55%] font-mono text-xs md:w-[38%]",
        cell: ({ key }) => <span title={key}>{nameOf(key)}</span>,
      },
      { id: "state", header: t("jobs.state"), className: "w-32", cell: (gate) => <GateState gate={gate} /> },
      {
        id: "until",
        header: t("jobs.until"),
        className: "hidden text-muted md:table-cell",
        cell: ({ open_until, spent_until, rests_until, reason }) => {
          const until = open_until ?? spent_until ?? rests_until;
          return [until ? formats.dateTime(until) : "", reason].filter(Boolean).join(" · ");
        },
      },
      {
        id: "rate",
        header: t("jobs.rate"),
        className: "hidden w-32 text-right figures md:table-cell",
        cell: ({ rate }) => (rate ? formats.decimal(rate * 60) : t("jobs.unlimited")),
      },
      {
        id: "running",
        header: t("jobs.running"),
        className: "hidden w-28 text-right figures lg:table-cell",
        cell: ({ running, cap }) =>
          cap ? t("jobs.attempts", { attempt: formats.number(running), most: formats.number(cap) }) : "–",
      },
    ],
    [t, formats, nameOf],
  );
  return (
    <Listed
      label={t("jobs.tab.gates")}
      icon={Gauge}
      empty={t("jobs.noGates")}
      emptyNext={t("jobs.noGatesNext")}
      pages={pages}
      columns={columns}
    />
  );
}
