import { useMemo } from "react";
import { useTranslation } from "react-i18next";

import { Badge } from "@/components/ui/badge";
import { type Column, DataTable } from "@/components/ui/data-table";
import { Failed, Loading } from "@/components/ui/states";
import { client, type Schemas } from "@/lib/api/client";
import { PAGE_ROWS, usePages } from "@/lib/api/pages";
import { useFormats } from "@/lib/format";

/** Refused rows and warnings in the order of the lines, all of them, however many. `version` changes while there may be more. */
export function ImportErrors({ importId, version }: { importId: string; version: string }) {
  const { t, i18n } = useTranslation();
  const formats = useFormats();
  const language = i18n.language as "es" | "en";
  const pages = usePages(["import-errors", importId, language, version], (cursor, signal) =>
    client.GET("/api/v1/imports/{id}/errors", {
      params: { path: { id: importId }, query: { cursor, language, limit: PAGE_ROWS } },
      signal,
    }),
  );
  const columns = useMemo<Column<Schemas["ImportError"]>[]>(
    () => [
      {
        id: "line",
        header: t("imports.line"),
        className: "w-16 text-right figures",
        cell: ({ line_number }) => formats.number(line_number),
      },
      {
        id: "reason",
        header: t("imports.reason"),
        className: "w-[45%]",
        cell: ({ is_warning, reason, detail }) => (
          <span title={[reason, detail].filter(Boolean).join(" · ")}>
            <Badge tone={is_warning ? "warn" : "bad"} className="mr-2">
              {t(is_warning ? "imports.warning" : "imports.error")}
            </Badge>
            {reason}
            {detail ? <span className="text-muted"> · {detail}</span> : null}
          </span>
        ),
      },
      {
        id: "cells",
        header: t("imports.row"),
        className: "hidden text-muted md:table-cell",
        cell: ({ cells }) => cells.filter(Boolean).join(" · "),
      },
    ],
    [t, formats],
  );
  if (pages.isPending) return <Loading />;
  if (pages.error) return <Failed error={pages.error} retry={pages.refetch} />;
  return (
    <DataTable
      label={t("imports.errors")}
      className="max-h-96"
      columns={columns}
      rows={pages.rows}
      rowId={({ line_number, code, detail }) => `${line_number} ${code} ${detail ?? ""}`}
      hasMore={pages.hasMore}
      isLoadingMore={pages.isLoadingMore}
      loadMore={pages.loadMore}
    />
  );
}
