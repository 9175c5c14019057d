import { Link } from "@tanstack/react-router";
import { Rows3 } from "lucide-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";

import type { Column } from "@/components/ui/data-table";
import { client } from "@/lib/api/client";
import { PAGE_ROWS, usePages } from "@/lib/api/pages";
import { useFormats } from "@/lib/format";

import { Listed } from "./Listed";
import { type Lane, LaneState } from "./state";
import { useLaneName } from "./useLaneName";

/** More than that is not counted by the server. */
const MOST_COUNTED = 10_000;

export function Lanes() {
  const { t } = useTranslation();
  const formats = useFormats();
  const nameOf = useLaneName();
  const pages = usePages(["lanes"], (cursor, signal) =>
    client.GET("/api/v1/lanes", { params: { query: { cursor, limit: PAGE_ROWS } }, signal }),
  );
  const columns = useMemo<Column<Lane>[]>(() => {
    const count = (value: number) =>
      value > MOST_COUNTED ? `${formats.number(MOST_COUNTED)}+` : formats.number(value);
    return [
      {
        id: "key",
        header: t("jobs.lane"),
        className: "w-[50%] font-mono text-xs",
        cell: ({ id, key }) => (
          <Link to="/jobs" search={{ lane: id }} title={key} className="hover:underline">
            {nameOf(key)}
          </Link>
        ),
      },
      { id: "state", header: t("jobs.state"), className: "w-28", cell: (lane) => <LaneState lane={lane} /> },
      {
        id: "queue",
        header: t("jobs.queue"),
        className: "hidden text-muted md:table-cell",
        cell: ({ queue }) => queue,
      },
      {
        id: "jobs",
        header: t("jobs.now"),
        className: "w-24 text-right figures",
        cell: ({ jobs }) => count(jobs),
      },
      {
        id: "later",
        header: t("jobs.later"),
        className: "hidden w-28 text-right figures md:table-cell",
        cell: ({ scheduled }) => count(scheduled),
      },
      {
        id: "weight",
        header: t("jobs.weight"),
        className: "hidden w-24 text-right text-muted figures lg:table-cell",
        cell: ({ weight }) => formats.number(weight),
      },
    ];
  }, [t, formats, nameOf]);
  return (
    <Listed
      label={t("jobs.tab.lanes")}
      icon={Rows3}
      empty={t("jobs.noLanes")}
      emptyNext={t("jobs.noLanesNext")}
      pages={pages}
      columns={columns}
    />
  );
}
