import { PackageOpen } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Progress } from "@/components/ui/progress";
import { client, type Schemas } from "@/lib/api/client";
import { useFormats } from "@/lib/format";
import { useTitle } from "@/lib/title";

import { type Act, Acts } from "./Acts";
import { Rows, useRows } from "./Rows";
import { BatchStateBadge, Whose } from "./states";

export function BatchesPage() {
  const { t } = useTranslation();
  useTitle(t("operations.tabs.batches"));
  const formats = useFormats();
  const batches = useRows(["batches"], (query) =>
    client.GET("/api/v1/platform/batches", { params: { query } }),
  );
  const acts = useBatchActs();
  return (
    <>
      <h1 className="sr-only">{t("operations.tabs.batches")}</h1>
      <Rows
        title={t("operations.tabs.batches")}
        icon={PackageOpen}
        pages={batches}
        keyOf={(batch) => batch.id}
        empty={t("operations.batches.empty")}
        columns={[
          {
            head: t("operations.batches.batch"),
            cell: (batch) => (
              <div>
                <p className="font-medium">{batch.name}</p>
                <p className="text-xs text-faint">
                  <Whose tenant={batch.tenant_number} /> · {batch.id}
                </p>
              </div>
            ),
          },
          { head: t("operations.state"), cell: (batch) => <BatchStateBadge state={batch.state} /> },
          { head: t("operations.batches.progress"), cell: (batch) => <Bar batch={batch} /> },
          {
            head: t("operations.batches.completed"),
            isNumber: true,
            isExtra: true,
            cell: (batch) => formats.number(batch.completed_count),
          },
          {
            head: t("operations.batches.discarded"),
            isNumber: true,
            isExtra: true,
            cell: (batch) => formats.number(batch.discarded_count),
          },
          {
            head: t("operations.batches.enqueued"),
            isNumber: true,
            cell: (batch) => formats.number(batch.enqueued_count),
          },
          {
            head: t("operations.batches.created"),
            isExtra: true,
            cell: (batch) => formats.relative(batch.created_at),
          },
          {
            head: t("operations.acts"),
            isNumber: true,
            cell: (batch) => <Acts of={batch.name} acts={acts(batch)} />,
          },
        ]}
      />
    </>
  );
}

function Bar({ batch }: { batch: Schemas["PlatformBatch"] }) {
  const { t } = useTranslation();
  return (
    <Progress
      className="mt-1.5 w-28"
      label={t("operations.batches.progressOf", { batch: batch.name })}
      total={batch.enqueued_count}
      parts={[
        { className: "bg-ok", value: batch.completed_count },
        { className: "bg-bad", value: batch.discarded_count },
        { className: "bg-faint", value: batch.cancelled_count },
      ]}
    />
  );
}

function useBatchActs(): (batch: Schemas["PlatformBatch"]) => Act[] {
  const { t } = useTranslation();
  return ({ id, state, discarded_count }) => {
    const params = { path: { id } };
    const acts: Act[] = [];
    if (state === "active")
      acts.push({
        name: t("common.pause"),
        about: t("operations.batches.pauseAbout"),
        run: (body) => client.POST("/api/v1/platform/batches/{id}/pause", { params, body }),
      });
    if (state === "paused")
      acts.push({
        name: t("common.resume"),
        about: t("operations.batches.resumeAbout"),
        run: (body) => client.POST("/api/v1/platform/batches/{id}/resume", { params, body }),
      });
    if (discarded_count > 0 && state !== "cancelled")
      acts.push({
        name: t("operations.batches.retry"),
        about: t("operations.batches.retryAbout"),
        run: (body) => client.POST("/api/v1/platform/batches/{id}/retry-failures", { params, body }),
      });
    if (state !== "cancelled" && state !== "completed")
      acts.push({
        name: t("operations.cancel"),
        about: t("operations.batches.cancelAbout"),
        isDangerous: true,
        run: (body) => client.POST("/api/v1/platform/batches/{id}/cancel", { params, body }),
      });
    return acts;
  };
}
