import { useNavigate, useSearch } from "@tanstack/react-router";
import { ListChecks, X } from "lucide-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import type { Column } from "@/components/ui/data-table";
import { Select } from "@/components/ui/input";
import { client } from "@/lib/api/client";
import { PAGE_ROWS, usePages } from "@/lib/api/pages";
import { useFormats } from "@/lib/format";
import type { JobsSearch } from "@/routes/search";

import { Listed } from "./Listed";
import { type Job, JOB_STATES, JobState } from "./state";
import { useLaneName } from "./useLaneName";
import { Why } from "./Why";

export function JobList() {
  const { t } = useTranslation();
  const navigate = useNavigate({ from: "/jobs" });
  const search = useSearch({ from: "/app/jobs" });
  const state = JOB_STATES.find((known) => known === search.state);
  const pages = usePages(["jobs", state ?? "", search.lane ?? ""], (cursor, signal) =>
    client.GET("/api/v1/jobs", {
      params: { query: { cursor, limit: PAGE_ROWS, state, lane_id: search.lane } },
      signal,
    }),
  );
  const show = (changed: JobsSearch) => void navigate({ search: (now) => ({ ...now, ...changed }) });
  const columns = useColumns();
  return (
    <>
      <div className="flex shrink-0 flex-wrap items-center gap-2 border-b border-line px-4 py-2 md:px-6">
        <Select
          aria-label={t("jobs.stateFilter")}
          className="w-52"
          value={state ?? ""}
          onChange={({ target }) => show({ state: target.value || undefined })}
        >
          <option value="">{t("jobs.allStates")}</option>
          {JOB_STATES.map((name) => (
            <option key={name} value={name}>
              {t(`jobs.states.${name}`)}
            </option>
          ))}
        </Select>
        {search.lane ? (
          <Button size="sm" onClick={() => show({ lane: undefined })}>
            {t("jobs.ofLane")}
            <X aria-hidden />
          </Button>
        ) : null}
      </div>
      <Listed
        label={t("jobs.tab.jobs")}
        icon={ListChecks}
        empty={t("jobs.empty")}
        emptyNext={t("jobs.emptyNext")}
        pages={pages}
        columns={columns}
        openId={search.job}
        onOpen={({ id }) => show({ job: id })}
      />
      {search.job === undefined ? null : <Why jobId={search.job} onClose={() => show({ job: undefined })} />}
    </>
  );
}

function useColumns(): Column<Job>[] {
  const { t } = useTranslation();
  const formats = useFormats();
  const nameOf = useLaneName();
  return useMemo(
    () => [
      { id: "id", header: t("jobs.id"), className: "w-24 text-muted figures", cell: ({ id }) => String(id) },
      {
        id: "kind",
        header: t("jobs.kind"),
        className: "font-mono text-xs",
        cell: ({ kind }) => kind,
      },
      {
        id: "state",
        header: t("jobs.state"),
        className: "w-32",
        cell: ({ state }) => <JobState state={state} />,
      },
      {
        id: "lane",
        header: t("jobs.lane"),
        className: "hidden font-mono text-xs text-muted lg:table-cell",
        cell: ({ lane }) => (lane ? <span title={lane}>{nameOf(lane)}</span> : ""),
      },
      {
        id: "attempt",
        header: t("jobs.attempt"),
        className: "hidden w-24 text-right figures md:table-cell",
        cell: ({ attempt, max_attempts }) =>
          max_attempts
            ? t("jobs.attempts", { attempt: formats.number(attempt), most: formats.number(max_attempts) })
            : formats.number(attempt),
      },
      {
        id: "at",
        header: t("jobs.due"),
        className: "hidden w-40 text-right text-muted md:table-cell",
        cell: ({ run_at, finished_at }) => {
          const at = finished_at ?? run_at;
          return at ? <time title={formats.dateTime(at)}>{formats.relative(at)}</time> : "";
        },
      },
    ],
    [t, formats, nameOf],
  );
}
