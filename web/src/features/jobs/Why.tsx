import { useTranslation } from "react-i18next";

import { Causes } from "@/components/causes";
import { Dialog } from "@/components/ui/dialog";
import { Failed, Loading } from "@/components/ui/states";
import { api } from "@/lib/api/client";
import { useFormats } from "@/lib/format";

import { JobState } from "./state";

/** One job, and everything that holds at once of why it does not run, or how it ended. */
export function Why({ jobId, onClose }: { jobId: number; onClose: () => void }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const params = { params: { path: { id: jobId } } };
  const job = api.useQuery("get", "/api/v1/jobs/{id}", params);
  // what holds it back changes by itself
  const why = api.useQuery("get", "/api/v1/jobs/{id}/why", params, { refetchInterval: 3000, staleTime: 0 });
  const error = job.error ?? why.error;
  return (
    <Dialog
      side
      open
      onOpenChange={onClose}
      title={t("jobs.job", { id: jobId })}
      description={job.data?.kind}
    >
      {error ? (
        <Failed error={error} retry={() => void Promise.all([job.refetch(), why.refetch()])} />
      ) : !job.data || !why.data ? (
        <Loading />
      ) : (
        <div className="flex flex-col gap-5">
          <div className="flex items-center gap-3">
            <JobState state={why.data.state} />
            <span className="text-sm text-muted">
              {job.data.queue}
              {job.data.lane ? ` · ${job.data.lane}` : ""}
            </span>
          </div>
          <section>
            <h3 className="mb-2 text-sm font-semibold">{t("jobs.why")}</h3>
            <Causes of={why.data} />
            <p className="mt-3 text-xs text-faint">
              {t("jobs.asOf", { time: formats.seconds(why.data.at) })}
            </p>
          </section>
          {job.data.errors ? (
            <section>
              <h3 className="mb-2 text-sm font-semibold">{t("jobs.errors")}</h3>
              <pre
                tabIndex={0}
                className="max-h-72 overflow-auto rounded-md border border-line bg-canvas p-3 font-mono text-xs whitespace-pre-wrap [overflow-wrap:anywhere]"
              >
                {JSON.stringify(job.data.errors, null, 2)}
              </pre>
            </section>
          ) : null}
        </div>
      )}
    </Dialog>
  );
}
