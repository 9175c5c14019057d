import { useMutation } from "@tanstack/react-query";
import { Ban, Layers, Pause, Play, RotateCcw } from "lucide-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import type { Column } from "@/components/ui/data-table";
import { Menu, MenuItem } from "@/components/ui/menu";
import { Progress } from "@/components/ui/progress";
import { toast } from "@/components/ui/toasts";
import { client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { PAGE_ROWS, PAGES, usePages } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { useFormats } from "@/lib/format";
import { useMay } from "@/lib/session";

import { Listed } from "./Listed";
import { type Batch, BatchState } from "./state";

type Act = "pause" | "resume" | "cancel" | "retry";

export function Batches() {
  const { t } = useTranslation();
  const formats = useFormats();
  const pages = usePages(["batches"], (cursor, signal) =>
    client.GET("/api/v1/batches", { params: { query: { cursor, limit: PAGE_ROWS } }, signal }),
  );
  const columns = useMemo<Column<Batch>[]>(
    () => [
      {
        id: "name",
        header: t("jobs.batch"),
        className: "w-[40%] font-medium md:w-[28%]",
        cell: ({ name }) => name,
      },
      {
        id: "state",
        header: t("jobs.state"),
        className: "w-28",
        cell: ({ state }) => <BatchState state={state} />,
      },
      {
        id: "progress",
        header: t("jobs.progress"),
        className: "hidden md:table-cell",
        cell: (batch) => (
          <Progress
            label={t("jobs.progressOf", { name: batch.name })}
            total={batch.enqueued_count}
            parts={[
              { className: "bg-ok", value: batch.completed_count },
              { className: "bg-bad-solid", value: batch.discarded_count },
              { className: "bg-edge", value: batch.cancelled_count },
            ]}
          />
        ),
      },
      {
        id: "done",
        header: t("jobs.done"),
        className: "hidden w-36 text-right figures md:table-cell",
        cell: ({ completed_count, enqueued_count }) =>
          t("jobs.attempts", {
            attempt: formats.number(completed_count),
            most: formats.number(enqueued_count),
          }),
      },
      {
        id: "failed",
        header: t("jobs.failed"),
        className: "hidden w-24 text-right figures md:table-cell",
        cell: ({ discarded_count }) => formats.number(discarded_count),
      },
      {
        id: "acts",
        header: t("jobs.acts"),
        className: "w-36 text-right",
        cell: (batch) => <Acts batch={batch} />,
      },
    ],
    [t, formats],
  );
  return (
    <Listed
      label={t("jobs.tab.batches")}
      icon={Layers}
      empty={t("jobs.noBatches")}
      emptyNext={t("jobs.noBatchesNext")}
      pages={pages}
      columns={columns}
    />
  );
}

function Acts({ batch: { id, name, state, discarded_count } }: { batch: Batch }) {
  const { t } = useTranslation();
  const may = useMay();
  const params = { params: { path: { id } } };
  const act = useMutation({
    mutationFn: async (what: Act): Promise<unknown> => {
      if (what === "pause") return client.POST("/api/v1/batches/{id}/pause", params);
      if (what === "resume") return client.POST("/api/v1/batches/{id}/resume", params);
      if (what === "cancel") return client.POST("/api/v1/batches/{id}/cancel", params);
      return client.POST("/api/v1/batches/{id}/retry-failures", params);
    },
    onError: (error) => toast("bad", errorText(error, t)),
    onSettled: () => queryClient.invalidateQueries({ queryKey: [PAGES, "batches"] }),
  });
  const isOpen = state === "active" || state === "held";
  const canRetry = discarded_count > 0 && state !== "cancelled";
  if (!may("conversations.reply") || (!isOpen && state !== "paused" && !canRetry)) return null;
  return (
    <Menu
      align="end"
      trigger={
        <Button size="sm" look="ghost" disabled={act.isPending} aria-label={t("jobs.actsOn", { name })}>
          {t("jobs.act")}
        </Button>
      }
    >
      {isOpen ? (
        <MenuItem onSelect={() => act.mutate("pause")}>
          <Pause aria-hidden />
          {t("common.pause")}
        </MenuItem>
      ) : null}
      {state === "paused" ? (
        <MenuItem onSelect={() => act.mutate("resume")}>
          <Play aria-hidden />
          {t("common.resume")}
        </MenuItem>
      ) : null}
      {canRetry ? (
        <MenuItem onSelect={() => act.mutate("retry")}>
          <RotateCcw aria-hidden />
          {t("jobs.retryFailures")}
        </MenuItem>
      ) : null}
      {isOpen || state === "paused" ? (
        <MenuItem onSelect={() => act.mutate("cancel")}>
          <Ban aria-hidden />
          {t("jobs.cancelBatch")}
        </MenuItem>
      ) : null}
    </Menu>
  );
}
