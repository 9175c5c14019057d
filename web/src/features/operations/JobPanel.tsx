import { useTranslation } from "react-i18next";

import { Dialog } from "@/components/ui/dialog";
import { Failed, Loading } from "@/components/ui/states";
import { Causes } from "@/components/causes";
import { api, client, type Schemas } from "@/lib/api/client";

import { type Act, Acts } from "./Acts";
import { JobStateBadge } from "./states";

/** One job: why it does not run or what became of it, what it was given, what went wrong. */
export function JobPanel({ id, onClose }: { id: number; onClose: () => void }) {
  const { t } = useTranslation();
  const params = { path: { id } };
  const job = api.useQuery("get", "/api/v1/platform/jobs/{id}", { params }, { refetchInterval: 5000 });
  const why = api.useQuery("get", "/api/v1/platform/jobs/{id}/why", { params }, { refetchInterval: 5000 });
  const acts = useJobActs();
  const error = job.error ?? why.error;
  return (
    <Dialog
      side
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title={t("operations.jobs.title", { id })}
      description={job.data?.kind}
    >
      {error ? <Failed error={error} retry={() => void Promise.all([job.refetch(), why.refetch()])} /> : null}
      {!error && !(job.data && why.data) ? <Loading /> : null}
      {job.data && why.data ? (
        <div className="flex flex-col gap-5">
          <div className="flex items-center justify-between">
            <JobStateBadge state={job.data.state} />
            <Acts of={String(id)} acts={acts(job.data)} />
          </div>
          <section>
            <h3 className="mb-1.5 text-sm font-semibold text-muted">{t("operations.jobs.why")}</h3>
            <Causes of={why.data} />
          </section>
          <Data title={t("operations.jobs.payload")} data={job.data.payload} />
          <Data title={t("operations.jobs.errors")} data={job.data.errors} />
        </div>
      ) : null}
    </Dialog>
  );
}

function Data({ title, data }: { title: string; data: unknown }) {
  if (data === null || data === undefined || (Array.isArray(data) && data.length === 0)) return null;
  return (
    <section>
      <h3 className="mb-1.5 text-sm font-semibold text-muted">{title}</h3>
      <pre
        tabIndex={0}
        aria-label={title}
        role="region"
        className="overflow-x-auto rounded-md border border-line bg-canvas p-3 font-mono text-xs"
      >
        {JSON.stringify(data, null, 2)}
      </pre>
    </section>
  );
}

function useJobActs(): (job: Schemas["PlatformJob"]) => Act[] {
  const { t } = useTranslation();
  return ({ id, state }) => {
    const params = { path: { id } };
    if (state === "available")
      return [
        {
          name: t("operations.cancel"),
          about: t("operations.jobs.cancelAbout"),
          isDangerous: true,
          run: (body) => client.POST("/api/v1/platform/jobs/{id}/cancel", { params, body }),
        },
      ];
    if (state === "discarded" || state === "quarantined" || state === "cancelled")
      return [
        {
          name: t("operations.jobs.retry"),
          about: t("operations.jobs.retryAbout"),
          run: (body) => client.POST("/api/v1/platform/jobs/{id}/retry", { params, body }),
        },
      ];
    return [];
  };
}
