import { Link } from "@tanstack/react-router";
import { AlarmClock, Ban, Pin, StickyNote } from "lucide-react";
import { memo } from "react";
import { useTranslation } from "react-i18next";

import { Avatar } from "@/components/avatar";
import { cn } from "@/lib/cn";
import { useFormats } from "@/lib/format";

import { useIsTyping } from "../data/presence";
import type { Conversation, Label, User } from "../wire";
import { useWhen } from "../when";
import { nameOf, previewOf } from "../words";
import { LabelDot } from "../LabelDot";
import { ServiceMark } from "../ServiceMark";

export const ROW_HEIGHT = 78;

interface RowProps {
  conversation: Conversation;
  isOpen: boolean;
  /** The one that Tab leads to: of a list only one is. */
  isStop: boolean;
  /** Shown where the account has more than one line. */
  hasLines: boolean;
  me: string;
  now: number;
  labels: ReadonlyMap<string, Label>;
  users: ReadonlyMap<string, User>;
  onFocus: (id: string) => void;
}

/** One conversation of the list: who, what was said last, when, and what is to be known before opening it. */
export const ConversationRow = memo(function ConversationRow(props: RowProps) {
  const { conversation, isOpen, isStop, hasLines, me, now, labels, users, onFocus } = props;
  const { t } = useTranslation();
  const when = useWhen();
  const formats = useFormats();
  const name = nameOf(conversation, t);
  const { id, unread_count: unread, last_message_at: at, last_message: last } = conversation;
  const assignee = conversation.assignee_id ? users.get(conversation.assignee_id) : undefined;
  return (
    <Link
      from="/inbox"
      to="/inbox"
      search={(before) => ({ ...before, conversation: id, message: undefined })}
      data-conversation={id}
      tabIndex={isStop ? 0 : -1}
      aria-current={isOpen ? "true" : undefined}
      onFocus={() => onFocus(id)}
      preload={false}
      className={cn(
        "relative flex h-full gap-2.5 border-b border-line/60 px-3 py-2 outline-offset-[-2px]",
        isOpen ? "bg-selected" : "hover:bg-hover",
      )}
    >
      {isOpen ? <span aria-hidden className="absolute inset-y-0 left-0 w-0.5 bg-accent-ink" /> : null}
      <Avatar name={name} className="mt-0.5 size-9" />
      <div className="flex min-w-0 flex-1 flex-col">
        <div className="flex items-center gap-1.5">
          <span className={cn("min-w-0 flex-1 truncate text-base", unread ? "font-semibold" : "font-medium")}>
            {name}
          </span>
          {conversation.is_pinned ? (
            <Pin aria-label={t("inbox.pinned")} role="img" className="size-3.5 shrink-0 text-accent-ink" />
          ) : null}
          <time
            dateTime={at}
            title={formats.dateTime(at)}
            className={cn("figures shrink-0 text-xs", unread ? "text-info" : "text-faint")}
          >
            {when(at, now)}
          </time>
        </div>
        <div className="flex items-center gap-1.5">
          <Preview
            conversation={conversation}
            text={previewOf(conversation, t)}
            isNote={last?.kind === "note" && last.source !== "system"}
          />
          {unread ? (
            <span className="figures flex h-4.5 min-w-4.5 shrink-0 items-center justify-center rounded-full bg-imessage px-1 text-2xs font-semibold text-on-accent">
              {unread > 99 ? "99+" : unread}
              <span className="sr-only">{t("inbox.unreadWord", { count: unread })}</span>
            </span>
          ) : null}
        </div>
        <div className="mt-0.5 flex min-w-0 items-center gap-2 text-2xs text-faint">
          <ServiceMark service={conversation.service} />
          {hasLines ? <span className="min-w-0 shrink truncate">{conversation.line_name}</span> : null}
          <Marks conversation={conversation} />
          <span className="flex min-w-0 flex-1 items-center gap-1.5 overflow-hidden">
            {conversation.label_ids.slice(0, 3).map((labelId) => {
              const label = labels.get(labelId);
              return label ? <LabelDot key={labelId} label={label} /> : null;
            })}
            {conversation.label_ids.length > 3 ? <span>+{conversation.label_ids.length - 3}</span> : null}
          </span>
          {assignee ? (
            <span
              className="flex shrink-0 items-center gap-1"
              title={t("inbox.has", { name: assignee.name })}
            >
              <Avatar name={assignee.name} className="size-4 text-[0.5rem]" />
              <span className="sr-only">{t("inbox.has", { name: assignee.name })}</span>
              {assignee.id === me ? <span aria-hidden>{t("inbox.you")}</span> : null}
            </span>
          ) : null}
        </div>
      </div>
    </Link>
  );
});

function Preview({
  conversation,
  text,
  isNote,
}: {
  conversation: Conversation;
  text: string;
  isNote: boolean;
}) {
  const { t } = useTranslation();
  const isTyping = useIsTyping(conversation.id as string);
  if (isTyping) return <span className="min-w-0 flex-1 truncate text-sm text-ok">{t("inbox.isTyping")}</span>;
  const isLost = conversation.last_message?.status === "failed";
  return (
    <span
      className={cn(
        "flex min-w-0 flex-1 items-center gap-1 text-sm",
        isLost ? "text-bad" : conversation.unread_count ? "text-ink" : "text-muted",
      )}
    >
      {isNote ? <StickyNote aria-hidden className="size-3.5 shrink-0 text-note-ink" /> : null}
      {isLost ? <span className="shrink-0">{t("inbox.preview.failed")}</span> : null}
      <span className="truncate">{text}</span>
    </span>
  );
}

/** What keeps a conversation from being answered now. */
function Marks({ conversation }: { conversation: Conversation }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { snoozed_until: until, suppression } = conversation;
  return (
    <>
      {until ? (
        <span className="flex shrink-0 items-center gap-0.5 text-warn" title={formats.dateTime(until)}>
          <AlarmClock aria-hidden className="size-3" />
          <span className="sr-only">{t("inbox.snoozedUntil", { at: formats.dateTime(until) })}</span>
        </span>
      ) : null}
      {suppression ? (
        <span className="flex shrink-0 items-center gap-0.5 text-bad">
          <Ban aria-hidden className="size-3" />
          {t(`inbox.suppressed.${suppression as "opted_out"}`)}
        </span>
      ) : null}
    </>
  );
}
