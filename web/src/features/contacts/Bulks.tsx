import { useMutation } from "@tanstack/react-query";
import { Download, X } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Badge, type Tone } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Progress } from "@/components/ui/progress";
import { Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { useActorName } from "@/lib/actors";
import { api, client, type Schemas } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { PAGES, usePages } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { useFormats } from "@/lib/format";
import { useMay } from "@/lib/session";

import { useLabels } from "./labels";

type Bulk = Schemas["Bulk"];

/** As the server names them. */
const TONES = {
  queued: "quiet",
  running: "info",
  completed: "ok",
  failed: "bad",
  cancelled: "warn",
} as const;
const isState = (state: string): state is keyof typeof TONES => state in TONES;
const isLive = ({ state }: Bulk) => state === "queued" || state === "running";

/**
 * Has what is known of a change of many read anew. While it goes on, an answer on its way is as good as another one; of its end it
 * may know nothing.
 */
export async function refreshBulks(id: string, cancelRefetch = true): Promise<void> {
  const one = api.queryOptions("get", "/api/v1/contacts/bulk/{id}", { params: { path: { id } } });
  await Promise.all(
    [one.queryKey, [PAGES, "bulks"]].map((queryKey) =>
      queryClient.invalidateQueries({ queryKey }, { cancelRefetch }),
    ),
  );
}

interface BulkStripProps {
  id: string;
  onClose: () => void;
  onSeeAll: () => void;
}

/** How the change that was just asked for goes, above the list that it changes. */
export function BulkStrip({ id, onClose, onSeeAll }: BulkStripProps) {
  const { t } = useTranslation();
  const { data, error } = api.useQuery("get", "/api/v1/contacts/bulk/{id}", { params: { path: { id } } });
  if (error) {
    return (
      <div
        role="alert"
        className="flex items-center gap-2 border-b border-line px-4 py-2 text-sm text-bad md:px-6"
      >
        <span className="flex-1">{errorText(error, t)}</span>
        <Close onClose={onClose} />
      </div>
    );
  }
  if (!data) return null;
  return (
    <section
      aria-label={t("contacts.bulk.title")}
      className="flex shrink-0 items-start gap-2 border-b border-line bg-surface px-4 py-2 md:px-6"
    >
      <div className="min-w-0 flex-1">
        <Goes bulk={data} />
      </div>
      <Button size="sm" look="ghost" className="hidden sm:inline-flex" onClick={onSeeAll}>
        {t("contacts.bulk.seeAll")}
      </Button>
      <Close onClose={onClose} />
    </section>
  );
}

function Close({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Button look="ghost" size="iconSm" aria-label={t("common.close")} onClick={onClose}>
      <X aria-hidden />
    </Button>
  );
}

/** All changes of many, the latest first, with the files that were written. */
export function BulkList({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const nameOf = useActorName();
  const pages = usePages(["bulks"], (cursor, signal) =>
    client.GET("/api/v1/contacts/bulk", { params: { query: { cursor, limit: 50 } }, signal }),
  );
  return (
    <Dialog
      side
      open
      onOpenChange={onClose}
      title={t("contacts.bulk.title")}
      description={t("contacts.bulk.hint")}
    >
      {pages.isPending ? (
        <Loading />
      ) : pages.error ? (
        <Failed error={pages.error} retry={pages.refetch} />
      ) : pages.rows.length === 0 ? (
        <p className="text-sm text-muted">{t("contacts.bulk.empty")}</p>
      ) : (
        <ul className="flex flex-col divide-y divide-line">
          {pages.rows.map((bulk) => (
            <li key={bulk.id} className="py-3 first:pt-0">
              <Goes bulk={bulk} />
              <p className="mt-1 text-xs text-faint">
                {t("contacts.bulk.by", {
                  when: formats.dateTime(bulk.created_at),
                  who: nameOf(bulk.created_by),
                })}
              </p>
            </li>
          ))}
        </ul>
      )}
      {pages.hasMore ? (
        <Button className="mt-2" disabled={pages.isLoadingMore} onClick={pages.loadMore}>
          {t("common.more")}
        </Button>
      ) : null}
    </Dialog>
  );
}

function Goes({ bulk }: { bulk: Bulk }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const may = useMay();
  const { byId } = useLabels();
  const stop = useMutation({
    mutationFn: () => client.POST("/api/v1/contacts/bulk/{id}/cancel", { params: { path: { id: bulk.id } } }),
    onError: (error) => toast("bad", errorText(error, t)),
    onSettled: () => refreshBulks(bulk.id),
  });
  const label = byId.get(bulk.label_id ?? "")?.name ?? t("contacts.bulk.labelGone");
  const act = t(`contacts.bulk.acts.${bulk.act}`, { label });
  // contacts may have gone since they were counted
  const total = Math.max(bulk.total_count, bulk.done_count);
  const tone: Tone = isState(bulk.state) ? TONES[bulk.state] : "quiet";
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5 text-sm">
      <span className="min-w-0 truncate font-medium">{act}</span>
      {isState(bulk.state) ? <Badge tone={tone}>{t(`contacts.bulk.states.${bulk.state}`)}</Badge> : null}
      {isLive(bulk) ? (
        <>
          <Progress
            className="min-w-24 flex-1"
            label={t("contacts.bulk.progress", { act })}
            parts={[{ className: "bg-accent-hover", value: bulk.done_count }]}
            total={total}
          />
          <span role="status" className="figures">
            {t("contacts.bulk.doneOf", {
              done: formats.number(bulk.done_count),
              total: formats.number(total),
            })}
          </span>
          {may("contacts.edit") ? (
            <Button size="sm" disabled={stop.isPending} onClick={() => stop.mutate()}>
              {t("contacts.bulk.cancel")}
            </Button>
          ) : null}
        </>
      ) : (
        <span role="status" className="text-muted figures">
          <Outcome bulk={bulk} />
        </span>
      )}
      {bulk.act === "export" && bulk.state === "completed" && may("contacts.export") ? (
        <Button asChild size="sm">
          <a href={`/api/v1/contacts/bulk/${bulk.id}/file`} download>
            <Download aria-hidden />
            {t("contacts.bulk.download")}
          </a>
        </Button>
      ) : null}
    </div>
  );
}

function Outcome({ bulk }: { bulk: Bulk }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const changed = formats.number(bulk.changed_count);
  switch (bulk.act) {
    case "export":
      return t("contacts.bulk.exported", { changed });
    case "delete":
      return (
        <>
          {t("contacts.bulk.deleted", { changed })}
          {bulk.kept_count > 0
            ? ` · ${t("contacts.bulk.kept", { kept: formats.number(bulk.kept_count) })}`
            : null}
        </>
      );
    case "label":
    case "unlabel":
      return t("contacts.bulk.changed", { changed });
  }
}
