import { CircleAlert, Clock, RotateCcw, SquarePen, Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { ApiError, errorText } from "@/lib/api/error";
import { cn } from "@/lib/cn";

import { unlearn } from "../data/drafts";
import { discard, type Pending, retry } from "../data/outbox";
import { Linked } from "./Linked";
import { MediaView } from "./MediaView";
import { Quote } from "./MessageRow";

interface PendingProps {
  pending: Pending;
  isLast: boolean;
  /** Puts the text back where it was written. */
  onEdit: (pending: Pending) => void;
}

/** What was written here and the server does not hold yet: with an open edge, so that it is never taken for a message. */
export function PendingRow({ pending, isLast, onEdit }: PendingProps) {
  const { t } = useTranslation();
  const { body, media, kind, replyTo, state, error, conversationId: id, key } = pending;
  const isFailed = state === "failed";
  const isOptOut = error instanceof ApiError && error.code === "recipient_opted_out";
  return (
    <article
      aria-label={t("inbox.thread.pendingOf")}
      className={cn("flex flex-col items-end px-4", isLast || isFailed ? "pb-3" : "pb-0.5")}
    >
      {media.length > 0 ? (
        <div className="flex max-w-[min(85%,40rem)] flex-col items-end gap-1 pb-1">
          {media.map((file) => (
            <MediaView key={file.id} media={file} renew={() => undefined} />
          ))}
        </div>
      ) : null}
      <div
        hidden={!body}
        className={cn(
          "max-w-[min(85%,40rem)] rounded-2xl border border-dashed px-3 py-1.5 text-base [overflow-wrap:anywhere] whitespace-pre-wrap",
          kind === "note" ? "bg-note text-note-ink" : "bg-overlay text-ink",
          isFailed ? "border-bad" : "border-edge",
        )}
      >
        {replyTo ? <Quote quoted={replyTo} /> : null}
        <Linked text={body} />
      </div>
      {isFailed ? (
        <div
          role="alert"
          className="mt-1 flex max-w-[min(85%,40rem)] flex-col items-end gap-1 text-xs text-bad"
        >
          <p className="flex items-center gap-1 text-right">
            <CircleAlert aria-hidden className="size-3.5 shrink-0" />
            {t("inbox.thread.notSent", { why: errorText(error, t) })}
          </p>
          <div className="flex gap-1">
            {isOptOut ? (
              <Button size="sm" look="danger" onClick={() => retry(id, { despiteOptOut: true })}>
                <RotateCcw aria-hidden />
                {t("inbox.composer.anyway")}
              </Button>
            ) : (
              <Button size="sm" onClick={() => retry(id)}>
                <RotateCcw aria-hidden />
                {t("common.retry")}
              </Button>
            )}
            <Button size="sm" look="ghost" onClick={() => onEdit(pending)}>
              <SquarePen aria-hidden />
              {t("inbox.thread.editAgain")}
            </Button>
            <Button
              size="sm"
              look="ghost"
              onClick={() => {
                discard(id, key);
                unlearn(id);
              }}
            >
              <Trash2 aria-hidden />
              {t("inbox.thread.discard")}
            </Button>
          </div>
        </div>
      ) : isLast ? (
        <p className="mt-0.5 flex items-center gap-1 px-1 text-xs text-faint">
          <Clock aria-hidden className="size-3.5" />
          {t("inbox.thread.saving")}
        </p>
      ) : null}
    </article>
  );
}
