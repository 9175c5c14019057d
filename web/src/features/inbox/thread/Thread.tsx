import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";
import { useEffect, useEffectEvent, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Failed, Loading } from "@/components/ui/states";
import { useFormats } from "@/lib/format";

import { type Pending, stillPending, usePending } from "../data/outbox";
import { useMarkRead } from "../data/reading";
import { loadMore, useThread } from "../data/thread";
import type { Conversation, Message } from "../wire";
import { MessageRow } from "./MessageRow";
import { PendingRow } from "./PendingRow";
import { firstUnread, lastPosition, type Row, rowsOf } from "./rows";

/** So near to the end counts as there. */
const END_PX = 48;
/** Rows left above at which the next page is read. */
const NEAR = 12;

const HEIGHTS: Record<Row["type"], number> = { start: 72, day: 40, unread: 36, message: 58, pending: 58 };

interface ThreadProps {
  conversation: Conversation;
  /** The message to open at. */
  around: string | undefined;
  onAround: (message: string | undefined) => void;
  onReply: ((message: Message) => void) | undefined;
  onEdit: (pending: Pending) => void;
}

/** What was said, newest at the bottom; reads on at both ends while it is scrolled. */
export function Thread(props: ThreadProps) {
  const { conversation, around } = props;
  const query = useThread(conversation.id, around);
  // what was loaded before and is being read again lacks what came since: where the unread line is can't be told by it
  const isOld = query.isStale && query.isFetching;
  const [isReady, setReady] = useState(false);
  if (!isReady && query.data && !isOld) setReady(true);
  if (query.isPending || (query.data && !isReady)) return <Loading className="flex-1" />;
  if (query.isError && !query.data) {
    return <Failed className="flex-1" error={query.error} retry={() => void query.refetch()} />;
  }
  return <Scroller {...props} thread={query.data} />;
}

type Loaded = NonNullable<ReturnType<typeof useThread>["data"]>;

function useRows(conversation: Conversation, thread: Loaded) {
  const waiting = usePending(conversation.id);
  const pending = stillPending(waiting, thread.items);
  // decided once, when the thread is opened: the line stays where it was while one reads
  const [opened] = useState(() => ({ count: conversation.unread_count, upTo: lastPosition(thread.items) }));
  const unread = useMemo(() => firstUnread(thread.items, opened), [thread, opened]);
  return useMemo(
    () =>
      rowsOf({
        messages: thread.items,
        pending: thread.newer ? [] : pending,
        unread,
        isBeginning: thread.older === null,
      }),
    [thread, pending, unread],
  );
}

function Scroller({
  conversation,
  around,
  onAround,
  onReply,
  onEdit,
  thread,
}: ThreadProps & { thread: Loaded }) {
  const { t } = useTranslation();
  const id = conversation.id;
  const rows = useRows(conversation, thread);
  const scroller = useRef<HTMLDivElement>(null);
  const [isAtEnd, setAtEnd] = useState(!around);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (place) => HEIGHTS[rows[place]?.type ?? "message"],
    getItemKey: (place) => rows[place]?.key ?? place,
    anchorTo: "end",
    followOnAppend: thread.newer === null,
    scrollEndThreshold: END_PX,
    overscan: 10,
    paddingStart: 8,
    paddingEnd: 4,
  });
  useOpening(virtual, rows, around);
  const shown = virtual.getVirtualItems();
  useReadingOn({
    id,
    around,
    thread,
    first: shown[0]?.index ?? 0,
    last: shown.at(-1)?.index ?? 0,
    count: rows.length,
  });
  const newCount = useNews(thread, isAtEnd);
  const isNewest = thread.newer === null;
  useMarkRead(conversation, lastPosition(thread.items), isAtEnd && isNewest);
  const onScroll = () => {
    const element = scroller.current;
    if (element) setAtEnd(element.scrollHeight - element.scrollTop - element.clientHeight <= END_PX);
  };
  const toEnd = () => {
    if (!isNewest || around) onAround(undefined);
    else virtual.scrollToEnd();
  };
  const toMessage = (message: string) => {
    const place = rows.findIndex((row) => row.type === "message" && row.message.id === message);
    if (place < 0) onAround(message);
    else virtual.scrollToIndex(place, { align: "center" });
  };
  return (
    <div className="relative min-h-0 flex-1">
      <div
        ref={scroller}
        onScroll={onScroll}
        tabIndex={0}
        role="log"
        aria-label={t("inbox.thread.label")}
        // what is drawn while one scrolls back is nothing new: news are told below
        aria-live="off"
        data-thread={id}
        className="h-full overflow-y-auto outline-offset-[-2px] [overflow-anchor:none]"
      >
        <div className="flex min-h-full flex-col justify-end">
          <div className="relative shrink-0" style={{ height: virtual.getTotalSize() }}>
            {shown.map((item) => {
              const row = rows[item.index];
              if (!row) return null;
              return (
                <div
                  key={item.key}
                  ref={virtual.measureElement}
                  data-index={item.index}
                  data-key={row.key}
                  className="absolute inset-x-0 top-0"
                  style={{ transform: `translateY(${item.start}px)` }}
                >
                  <RowOf row={row} around={around} onReply={onReply} onQuoted={toMessage} onEdit={onEdit} />
                </div>
              );
            })}
          </div>
        </div>
      </div>
      <News messages={thread.items} />
      {isAtEnd ? null : <DayAbove row={firstSeen(virtual, rows)} />}
      {isAtEnd && isNewest ? null : (
        <Button
          className="absolute right-4 bottom-3 rounded-full bg-overlay shadow-xl"
          aria-label={
            newCount > 0 ? t("inbox.thread.newCount", { count: newCount }) : t("inbox.thread.latest")
          }
          onClick={toEnd}
        >
          <ArrowDown aria-hidden />
          {newCount > 0 ? t("inbox.thread.newCount", { count: newCount }) : t("inbox.thread.latest")}
        </Button>
      )}
    </div>
  );
}

type Virtual = ReturnType<typeof useVirtualizer<HTMLDivElement, Element>>;

/** Where the thread stands when it is opened: at the message that was sought, at the unread line, or at the end. */
function useOpening(virtual: Virtual, rows: Row[], around: string | undefined): void {
  const open = useEffectEvent(() => {
    const sought = rows.findIndex((row) => row.type === "message" && row.message.id === around);
    const unread = rows.findIndex((row) => row.type === "unread");
    if (sought >= 0) virtual.scrollToIndex(sought, { align: "center" });
    else if (unread >= 0) virtual.scrollToIndex(unread, { align: "start" });
    else virtual.scrollToEnd();
  });
  useLayoutEffect(() => open(), []);
}

interface ReadingOn {
  id: string;
  around: string | undefined;
  thread: Loaded;
  first: number;
  last: number;
  count: number;
}

/** Reads the next page before its place is reached. */
function useReadingOn({ id, around, thread, first, last, count }: ReadingOn): void {
  const { older, newer } = thread;
  useEffect(() => {
    // what fails is tried again by the next scroll, or by the feed when the network is back
    if (older && first < NEAR) loadMore(id, around, "older").catch(() => undefined);
    if (newer && last > count - NEAR) loadMore(id, around, "newer").catch(() => undefined);
  }, [id, around, older, newer, first, last, count]);
}

/** How many came in since the end was last seen. What is read on towards the newest is not new. */
function useNews(thread: Loaded, isAtEnd: boolean): number {
  const last = lastPosition(thread.items);
  const isNewest = thread.newer === null;
  const [seen, setSeen] = useState({ last, isNewest });
  const isSeen = isAtEnd || !seen.isNewest;
  if (isSeen && (seen.last !== last || seen.isNewest !== isNewest)) setSeen({ last, isNewest });
  if (isSeen) return 0;
  return thread.items.filter(({ direction, position }) => direction === "inbound" && position > seen.last)
    .length;
}

function firstSeen(virtual: Virtual, rows: Row[]): Row | undefined {
  const item = virtual.getVirtualItemForOffset(virtual.scrollOffset ?? 0);
  return item ? rows[item.index] : undefined;
}

/** Reads out what comes in while the thread is open. */
function News({ messages }: { messages: readonly Message[] }) {
  const { t } = useTranslation();
  const [opened] = useState(() => lastPosition(messages));
  const last = messages.findLast(({ direction, position }) => direction === "inbound" && position > opened);
  return (
    <p role="status" className="sr-only">
      {last ? `${t("inbox.thread.theirs")}: ${last.body}` : null}
    </p>
  );
}

const atOf = (row: Row | undefined): string | null => {
  if (!row || row.type === "start" || row.type === "unread") return null;
  if (row.type === "day") return row.at;
  return row.type === "message" ? row.message.created_at : row.pending.createdAt;
};

/** Of which day the uppermost message is, while one reads back. */
function DayAbove({ row }: { row: Row | undefined }) {
  const formats = useFormats();
  const at = atOf(row);
  if (!at || row?.type === "day") return null;
  return (
    <p
      aria-hidden
      className="pointer-events-none absolute inset-x-0 top-2 mx-auto w-fit rounded-full border border-line bg-overlay px-2.5 py-0.5 text-xs text-muted shadow-lg"
    >
      {formats.day(at)}
    </p>
  );
}

interface RowOfProps {
  row: Row;
  around: string | undefined;
  onReply: ThreadProps["onReply"];
  onQuoted: (message: string) => void;
  onEdit: (pending: Pending) => void;
}

function RowOf({ row, around, onReply, onQuoted, onEdit }: RowOfProps) {
  const { t } = useTranslation();
  const formats = useFormats();
  switch (row.type) {
    case "start":
      return <p className="px-6 pt-8 pb-4 text-center text-xs text-faint">{t("inbox.thread.start")}</p>;
    case "day":
      return (
        <p className="flex items-center gap-3 px-4 py-2.5 text-xs font-medium text-muted">
          <span aria-hidden className="h-px flex-1 bg-line" />
          <span className="first-letter:uppercase">{formats.day(row.at)}</span>
          <span aria-hidden className="h-px flex-1 bg-line" />
        </p>
      );
    case "unread":
      return (
        <p className="flex items-center gap-3 px-4 py-2 text-xs font-medium text-bad">
          <span aria-hidden className="h-px flex-1 bg-bad/50" />
          {t("inbox.thread.unread", { count: row.count })}
          <span aria-hidden className="h-px flex-1 bg-bad/50" />
        </p>
      );
    case "message":
      return (
        <MessageRow
          message={row.message}
          isLast={row.isLast}
          isSought={row.message.id === around}
          onReply={onReply}
          onQuoted={onQuoted}
        />
      );
    case "pending":
      return <PendingRow pending={row.pending} isLast={row.isLast} onEdit={onEdit} />;
  }
}
