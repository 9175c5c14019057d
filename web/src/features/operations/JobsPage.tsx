import { useNavigate, useSearch } from "@tanstack/react-router";
import { ListChecks } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Input, Select } from "@/components/ui/input";
import { client, type Schemas } from "@/lib/api/client";
import { useFormats } from "@/lib/format";
import { useTitle } from "@/lib/title";
import type { OperatorJobsSearch } from "@/routes/search";

import { JobPanel } from "./JobPanel";
import { Rows, useRows } from "./Rows";
import { JOB_STATES, JobStateBadge, Whose } from "./states";

const FROM = "/operations/jobs";

/** Jobs of all tenants: those that wait or run, and by state those that have ended. */
export function JobsPage() {
  const { t } = useTranslation();
  useTitle(t("operations.tabs.jobs"));
  const formats = useFormats();
  const navigate = useNavigate({ from: FROM });
  const { job, state, kind } = useSearch({ from: FROM });
  const query = { ...(state ? { state: state as Schemas["JobState"] } : {}), ...(kind ? { kind } : {}) };
  const jobs = useRows(["jobs", query], (page) =>
    client.GET("/api/v1/platform/jobs", { params: { query: { ...page, ...query } } }),
  );
  const set = (next: Partial<OperatorJobsSearch>) =>
    void navigate({ search: (now) => ({ ...now, ...next }), replace: true });
  return (
    <>
      <h1 className="sr-only">{t("operations.tabs.jobs")}</h1>
      <Rows
        title={t("operations.tabs.jobs")}
        icon={ListChecks}
        aside={
          <form
            className="flex flex-wrap gap-2"
            onSubmit={(event) => {
              event.preventDefault();
              const kind = String(new FormData(event.currentTarget).get("kind") ?? "").trim();
              set({ kind: kind || undefined });
            }}
          >
            <Select
              aria-label={t("operations.state")}
              className="w-auto"
              value={state ?? ""}
              onChange={(event) => set({ state: event.target.value || undefined })}
            >
              <option value="">{t("operations.jobs.live")}</option>
              {JOB_STATES.map((one) => (
                <option key={one} value={one}>
                  {t(`operations.jobStates.${one}`)}
                </option>
              ))}
            </Select>
            <Input
              key={kind}
              name="kind"
              aria-label={t("operations.jobs.kind")}
              placeholder={t("operations.jobs.kind")}
              defaultValue={kind}
              className="w-44"
            />
          </form>
        }
        pages={jobs}
        keyOf={(row) => row.id}
        empty={t("operations.jobs.empty")}
        columns={[
          {
            head: t("operations.jobs.job"),
            cell: (row) => (
              <Button look="ghost" size="sm" className="-ml-2.5" onClick={() => set({ job: row.id })}>
                {row.id}
              </Button>
            ),
          },
          {
            head: t("operations.jobs.kind"),
            cell: (row) => (
              <div>
                <p className="font-medium">{row.kind}</p>
                <p className="text-xs text-faint">
                  <Whose tenant={row.tenant_number} /> · {row.lane ?? row.queue}
                </p>
              </div>
            ),
          },
          { head: t("operations.state"), cell: (row) => <JobStateBadge state={row.state} /> },
          {
            head: t("operations.jobs.attempts"),
            isNumber: true,
            isExtra: true,
            cell: (row) =>
              row.max_attempts == null
                ? formats.number(row.attempt)
                : `${formats.number(row.attempt)} / ${formats.number(row.max_attempts)}`,
          },
          {
            head: t("operations.jobs.due"),
            isExtra: true,
            cell: (row) => (row.run_at ? formats.relative(row.run_at) : "—"),
          },
          {
            head: t("operations.jobs.ended"),
            isExtra: true,
            cell: (row) => (row.finished_at ? formats.relative(row.finished_at) : "—"),
          },
        ]}
      />
      {job ? <JobPanel id={job} onClose={() => set({ job: undefined })} /> : null}
    </>
  );
}
