import { Download, EyeOff } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Page } from "@/components/page";
import { Badge, type Tone } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { type Column, DataTable } from "@/components/ui/data-table";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { useActorName } from "@/lib/actors";
import { client, type Schemas } from "@/lib/api/client";
import { PAGE_ROWS, PAGES, usePages } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { useFormats } from "@/lib/format";
import { useEvent } from "@/lib/live";

type Request = Schemas["PrivacyRequest"];

/** As the server names them. */
const TONES = { queued: "quiet", running: "info", completed: "ok", failed: "bad" } as const;
const isState = (state: string): state is keyof typeof TONES => state in TONES;

/** What people have asked about their data, and what came of it. */
export function PrivacyPage() {
  const { t } = useTranslation();
  const pages = usePages(["privacy"], (cursor, signal) =>
    client.GET("/api/v1/privacy-requests", { params: { query: { cursor, limit: PAGE_ROWS } }, signal }),
  );
  useEvent("job.progress", ({ subject }) => {
    if (subject === "privacy_request") void queryClient.invalidateQueries({ queryKey: [PAGES, "privacy"] });
  });
  const columns = useColumns();
  return (
    <Page title={t("privacy.title")} isFilled>
      <p className="max-w-3xl px-4 py-3 text-sm text-muted md:px-6">{t("privacy.says")}</p>
      {pages.isPending ? (
        <Loading />
      ) : pages.error ? (
        <Failed error={pages.error} retry={pages.refetch} />
      ) : pages.rows.length === 0 ? (
        <Empty icon={EyeOff} title={t("privacy.none")}>
          {t("privacy.noneNext")}
        </Empty>
      ) : (
        <DataTable
          label={t("privacy.title")}
          columns={columns}
          rows={pages.rows}
          rowId={({ id }) => id}
          hasMore={pages.hasMore}
          isLoadingMore={pages.isLoadingMore}
          loadMore={pages.loadMore}
        />
      )}
    </Page>
  );
}

function useColumns(): Column<Request>[] {
  const { t } = useTranslation();
  const formats = useFormats();
  const nameOf = useActorName();
  return [
    {
      id: "what",
      header: t("privacy.what"),
      className: "w-24",
      cell: ({ kind }) => t(`privacy.kinds.${kind}`),
    },
    {
      id: "state",
      header: t("privacy.state"),
      className: "w-32 sm:w-44",
      cell: ({ state }) => {
        const tone: Tone = isState(state) ? TONES[state] : "quiet";
        return isState(state) ? <Badge tone={tone}>{t(`privacy.states.${state}`)}</Badge> : null;
      },
    },
    {
      id: "found",
      header: t("privacy.found"),
      className: "hidden text-muted md:table-cell",
      cell: ({ state, message_count, file_count, recipient_count }) =>
        state === "completed"
          ? t("privacy.counts", {
              messages: formats.number(message_count),
              files: formats.number(file_count),
              recipients: formats.number(recipient_count),
            })
          : null,
    },
    {
      id: "who",
      header: t("privacy.who"),
      className: "hidden w-36 text-muted lg:table-cell",
      cell: ({ created_by }) => nameOf(created_by),
    },
    {
      id: "when",
      header: t("privacy.when"),
      className: "hidden w-36 text-muted sm:table-cell",
      cell: ({ created_at }) => (
        <time title={formats.dateTime(created_at)}>{formats.relative(created_at)}</time>
      ),
    },
    {
      id: "file",
      header: t("privacy.file"),
      className: "w-40",
      cell: (request) => <Parts request={request} />,
    },
  ];
}

/** The archives of a copy; of many files there are several. */
function Parts({ request }: { request: Request }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { id, kind, state, part_count, expires_at } = request;
  if (kind !== "export" || state !== "completed") return null;
  if (!expires_at) return <span className="text-faint">{t("privacy.expired")}</span>;
  const parts = Array.from({ length: part_count }, (_, nth) => nth + 1);
  return (
    <span className="flex flex-wrap gap-1" title={t("privacy.until", { when: formats.dateTime(expires_at) })}>
      {parts.map((number) => (
        <Button key={number} asChild size="sm">
          <a
            href={`/api/v1/privacy-requests/${id}/parts/${number}`}
            download
            aria-label={part_count > 1 ? t("privacy.downloadPart", { number }) : undefined}
          >
            <Download aria-hidden />
            {part_count > 1 ? number : t("privacy.download")}
          </a>
        </Button>
      ))}
    </span>
  );
}
