import { Link, useNavigate } from "@tanstack/react-router";
import { Upload } from "lucide-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";

import { Page } from "@/components/page";
import { Button } from "@/components/ui/button";
import { type Column, DataTable } from "@/components/ui/data-table";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { useActorName } from "@/lib/actors";
import { client } from "@/lib/api/client";
import { PAGE_ROWS, PAGES, usePages } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { useFormats } from "@/lib/format";
import { useShortcuts } from "@/lib/keyboard/useShortcuts";
import { useEvent } from "@/lib/live";

import { type Import, ImportState } from "./state";

export function ImportsPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const pages = usePages(["imports"], (cursor, signal) =>
    client.GET("/api/v1/imports", { params: { query: { cursor, limit: PAGE_ROWS } }, signal }),
  );
  useEvent("job.progress", ({ subject }) => {
    if (subject === "import")
      void queryClient.invalidateQueries({ queryKey: [PAGES, "imports"] }, { cancelRefetch: false });
  });
  const begin = () => void navigate({ to: "/imports/new" });
  useShortcuts([{ keys: "n", label: t("nav.newImport"), group: t("nav.imports"), run: begin }]);
  const columns = useColumns();
  const action = (
    <Button asChild look="solid">
      <Link to="/imports/new">
        <Upload aria-hidden />
        {t("nav.newImport")}
      </Link>
    </Button>
  );
  return (
    <Page title={t("nav.imports")} actions={action} isFilled>
      {pages.isPending ? (
        <Loading />
      ) : pages.error ? (
        <Failed error={pages.error} retry={pages.refetch} />
      ) : pages.rows.length === 0 ? (
        <Empty icon={Upload} title={t("imports.empty")} action={action}>
          {t("imports.emptyNext")}
        </Empty>
      ) : (
        <DataTable
          label={t("nav.imports")}
          columns={columns}
          rows={pages.rows}
          rowId={({ id }) => id}
          onOpen={({ id }) => void navigate({ to: "/imports/$importId", params: { importId: id } })}
          hasMore={pages.hasMore}
          isLoadingMore={pages.isLoadingMore}
          loadMore={pages.loadMore}
        />
      )}
    </Page>
  );
}

function useColumns(): Column<Import>[] {
  const { t } = useTranslation();
  const formats = useFormats();
  const nameOf = useActorName();
  return useMemo(
    () => [
      {
        id: "file",
        header: t("imports.file"),
        className: "w-1/2 md:w-[38%]",
        cell: ({ id, file_name }) => (
          <Link to="/imports/$importId" params={{ importId: id }} className="font-medium hover:underline">
            {file_name}
          </Link>
        ),
      },
      {
        id: "state",
        header: t("imports.state"),
        className: "w-28",
        cell: ({ state }) => <ImportState state={state} />,
      },
      {
        id: "rows",
        header: t("imports.contacts"),
        className: "w-28 text-right figures",
        cell: ({ created_count, updated_count }) => formats.number(created_count + updated_count),
      },
      {
        id: "refused",
        header: t("imports.refused"),
        className: "hidden w-28 text-right figures md:table-cell",
        cell: ({ invalid_count, empty_count }) => formats.number(invalid_count + empty_count),
      },
      {
        id: "by",
        header: t("imports.by"),
        className: "hidden w-44 text-muted lg:table-cell",
        cell: ({ created_by }) => nameOf(created_by),
      },
      {
        id: "at",
        header: t("imports.when"),
        className: "hidden w-36 text-right text-muted md:table-cell",
        cell: ({ created_at }) => (
          <time title={formats.dateTime(created_at)}>{formats.relative(created_at)}</time>
        ),
      },
    ],
    [t, formats, nameOf],
  );
}
