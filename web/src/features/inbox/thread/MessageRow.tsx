import { CornerDownRight, MessageSquareReply, StickyNote } from "lucide-react";
import { lazy, memo, type ReactNode, Suspense } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Tooltip } from "@/components/ui/tooltip";
import { withTexts } from "@/i18n";
import { cn } from "@/lib/cn";
import { useFormats } from "@/lib/format";
import { useMay, useMe } from "@/lib/session";

import { known } from "../data/lists";
import { readMessage } from "../data/thread";
import type { Message } from "../wire";
import { reasonText, serviceName, statusOf } from "../words";
import { Linked } from "./Linked";
import { Attempts, Reactions } from "./Marks";
import { MediaView } from "./MediaView";
import { StatusMark } from "./StatusMark";

// few messages fail
const SendAsSms = lazy(() => withTexts(import("./SendAsSms"), "sms"));

export const GROUNDS = {
  imessage: "bg-imessage text-on-accent",
  sms: "bg-sms text-on-accent",
  rcs: "bg-rcs text-on-accent",
  unknown: "bg-overlay text-ink border border-edge",
} as const;

interface RowProps {
  message: Message;
  isLast: boolean;
  /** The one that the thread was opened at. */
  isSought: boolean;
  onReply: ((message: Message) => void) | undefined;
  onQuoted: (id: string) => void;
}

/** One message or note with all that is known of it. */
export const MessageRow = memo(function MessageRow({
  message,
  isLast,
  isSought,
  onReply,
  onQuoted,
}: RowProps) {
  const { t } = useTranslation();
  if (message.kind === "note" && message.source === "system") return <SystemLine message={message} />;
  const isOurs = message.direction === "outbound";
  const isNote = message.kind === "note";
  return (
    <article
      aria-label={t(isNote ? "inbox.thread.noteOf" : isOurs ? "inbox.thread.oursOf" : "inbox.thread.theirs", {
        name: message.author?.name ?? t(`inbox.source.${sourceOf(message)}`),
      })}
      className={cn(
        "group flex flex-col px-4",
        isOurs ? "items-end" : "items-start",
        isLast ? "pb-3" : "pb-0.5",
      )}
    >
      <div
        className={cn(
          "flex max-w-[min(85%,40rem)] items-center gap-1",
          isOurs ? "flex-row" : "flex-row-reverse",
        )}
      >
        {onReply && !isNote ? (
          <Tooltip text={t("inbox.thread.answer")} side="top">
            <Button
              look="ghost"
              size="iconSm"
              aria-label={t("inbox.thread.answer")}
              className="opacity-0 group-hover:opacity-100 focus-visible:opacity-100"
              onClick={() => onReply(message)}
            >
              <MessageSquareReply aria-hidden />
            </Button>
          </Tooltip>
        ) : null}
        <div className={cn("flex min-w-0 flex-col gap-1", isOurs ? "items-end" : "items-start")}>
          {message.media.map((media) => (
            <MediaView
              key={media.id}
              media={media}
              renew={() => void readMessage(message.conversation_id, message.id)}
            />
          ))}
          {message.body || message.media.length === 0 ? (
            <Bubble message={message} isSought={isSought} onQuoted={onQuoted} />
          ) : null}
        </div>
      </div>
      <Reactions message={message} />
      <Attempts message={message} className={isOurs ? "items-end px-1 text-right" : "px-1"} />
      <Below message={message} isLast={isLast} />
    </article>
  );
});

function sourceOf({
  source,
  direction,
}: Message): "campaign" | "device" | "system" | "api" | "contact" | "user" {
  const known = ["campaign", "device", "system", "contact", "user"] as const;
  return known.find((name) => name === source) ?? (direction === "inbound" ? "contact" : "api");
}

function Bubble({ message, isSought, onQuoted }: Pick<RowProps, "message" | "isSought" | "onQuoted">) {
  const { t } = useTranslation();
  const formats = useFormats();
  const isNote = message.kind === "note";
  const isOurs = message.direction === "outbound";
  const ground = isNote ? "bg-note text-note-ink" : isOurs ? GROUNDS[message.service] : "bg-inbound text-ink";
  return (
    <div
      title={formats.dateTime(message.created_at)}
      className={cn(
        "min-w-0 rounded-2xl px-3 py-1.5 text-base [overflow-wrap:anywhere] whitespace-pre-wrap",
        ground,
        message.status === "cancelled" && "opacity-70",
        isSought && "outline-2 outline-offset-2 outline-focus",
      )}
    >
      {isNote ? (
        <p className="mb-0.5 flex items-center gap-1 text-2xs font-medium">
          <StickyNote aria-hidden className="size-3" />
          {t("inbox.thread.note")}
        </p>
      ) : null}
      {message.reply_to ? <Quote quoted={message.reply_to} onQuoted={onQuoted} /> : null}
      {message.body ? (
        <Linked text={message.body} />
      ) : (
        <em>{t(message.unsent_at ? "inbox.thread.unsent" : "inbox.preview.empty")}</em>
      )}
    </div>
  );
}

export function Quote({
  quoted,
  onQuoted,
}: {
  quoted: { id: string; preview: string };
  onQuoted?: (id: string) => void;
}) {
  const { t } = useTranslation();
  const text = (
    <>
      <CornerDownRight aria-hidden className="mt-0.5 size-3 shrink-0" />
      <span className="line-clamp-2 text-left">{quoted.preview || t("inbox.preview.empty")}</span>
    </>
  );
  const look = "mb-1 flex w-full items-start gap-1 rounded-lg bg-canvas/30 px-2 py-1 text-xs";
  if (!onQuoted) return <p className={look}>{text}</p>;
  return (
    <button
      type="button"
      className={cn(look, "hover:bg-canvas/50")}
      title={t("inbox.thread.toQuoted")}
      onClick={() => onQuoted(quoted.id)}
    >
      {text}
    </button>
  );
}

/** Who, when, by what and how it went; of a group once, below its last bubble. What went wrong is said below each. */
function Below({ message, isLast }: { message: Message; isLast: boolean }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const me = useMe().user.id;
  const may = useMay();
  const status = statusOf(message);
  const isOurs = message.direction === "outbound";
  const isWrong = status === "failed" || status === "unknown" || status === "cancelled";
  if (!isLast && !isWrong) return null;
  const parts: ReactNode[] = [];
  if (isOurs && message.source !== "user") parts.push(t(`inbox.source.${sourceOf(message)}`));
  else if (message.author) parts.push(message.author.id === me ? t("inbox.thread.you") : message.author.name);
  parts.push(
    <time key="time" dateTime={message.created_at} className="figures">
      {formats.time(message.created_at)}
    </time>,
  );
  if (message.edited_at) parts.push(t("inbox.thread.edited"));
  if (message.kind === "message" && message.service !== "unknown")
    parts.push(serviceName(message.service, t));
  return (
    <div className={cn("mt-0.5 max-w-[min(85%,40rem)] px-1 text-xs text-faint", isOurs && "text-right")}>
      <p className={cn("flex flex-wrap items-center gap-x-1.5", isOurs && "justify-end")}>
        {parts.map((part, place) => (
          <span key={place} className="flex items-center gap-1.5">
            {place > 0 ? <span aria-hidden>·</span> : null}
            {part}
          </span>
        ))}
        {isOurs && status && status !== "received" && message.kind === "message" ? (
          <StatusMark
            status={status}
            at={message.read_at ?? message.delivered_at ?? message.sent_at ?? undefined}
          />
        ) : null}
      </p>
      {isWrong && message.reason ? (
        <p className={status === "failed" ? "text-bad" : "text-warn"}>{reasonText(message.reason, t)}</p>
      ) : null}
      {may("conversations.reply") && couldGoAsSms(message) ? (
        <Suspense fallback={null}>
          <SendAsSms message={message} />
        </Suspense>
      ) : null}
    </div>
  );
}

/** What the server takes to be sent over again; it decides by itself. */
function couldGoAsSms(message: Message): boolean {
  const { kind, direction, status, reason, service, attempts, media } = message;
  const isLost = status === "failed" || (status === "unknown" && reason === "held");
  if (!isLost || kind !== "message" || direction !== "outbound") return false;
  if (service === "sms" || service === "rcs" || attempts.length > 0 || media.length > 0) return false;
  return /^\+\d{7,15}$/.test(known(message.conversation_id)?.address ?? "");
}

const SYSTEM = ["assignee_deactivated"] as const;

function SystemLine({ message }: { message: Message }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const known = SYSTEM.find((reason) => reason === message.reason);
  return (
    <p className="px-6 py-1.5 pb-3 text-center text-xs text-faint">
      {known ? t(`inbox.system.${known}`, { name: message.body }) : message.body}
      <span aria-hidden> · </span>
      <time dateTime={message.created_at} className="figures">
        {formats.time(message.created_at)}
      </time>
    </p>
  );
}
