import { useVirtualizer } from "@tanstack/react-virtual";
import { type Ref, useEffect, useImperativeHandle, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { Failed, Loading } from "@/components/ui/states";
import { useMe } from "@/lib/session";

import { useConversations } from "../data/lists";
import { useLabels, useLines, useUsers } from "../data/reference";
import type { ListFilter } from "../view";
import type { Conversation } from "../wire";
import { useMinute } from "../when";
import { ConversationRow, ROW_HEIGHT } from "./ConversationRow";

/** What keys do with the list. */
export interface ListHandle {
  /** Moves the focus by that many rows, from where it is or from the open one. */
  move: (step: 1 | -1) => void;
  /** The row that has the focus. */
  focused: () => Conversation | undefined;
  /** What would be opened after that one is gone from the list. */
  after: (id: string) => Conversation | undefined;
  focus: (id: string) => void;
}

interface ListProps {
  filter: ListFilter;
  open: string | undefined;
  empty: React.ReactNode;
  handle: Ref<ListHandle>;
}

/** The conversations of a filter, as many as there are: only what is seen is drawn, and read page by page. */
export function ConversationList({ filter, open, empty, handle }: ListProps) {
  const { t } = useTranslation();
  const me = useMe().user.id;
  const query = useConversations(filter);
  const { labels, users, hasLines, now } = useRowFacts();
  const items = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  const scroller = useRef<HTMLDivElement>(null);
  const [focusedId, setFocusedId] = useState<string>();
  const wanted = useRef<string>(undefined);
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (place) => items[place]?.id ?? place,
    overscan: 8,
  });
  const rows = virtual.getVirtualItems();
  const end = rows.at(-1)?.index ?? 0;
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && end >= items.length - 15) void fetchNextPage();
  }, [end, items.length, hasNextPage, isFetchingNextPage, fetchNextPage]);
  const focusWanted = () => {
    const row = wanted.current && rowOf(scroller.current, wanted.current);
    if (!row) return;
    wanted.current = undefined;
    row.focus({ preventScroll: true });
  };
  const focus = (id: string) => {
    const place = items.findIndex((item) => item.id === id);
    if (place < 0) return;
    virtual.scrollToIndex(place, { align: "auto" });
    setFocusedId(id);
    wanted.current = id;
    focusWanted();
  };
  // a row that was out of sight is drawn first
  useEffect(() => focusWanted());
  useImperativeHandle(handle, () => ({
    focus,
    move: (step) => {
      const isInside = scroller.current?.contains(document.activeElement);
      const from = items.findIndex((item) => item.id === (isInside ? focusedId : open));
      const next = items[from < 0 ? 0 : Math.min(items.length - 1, Math.max(0, from + step))];
      if (next) focus(next.id);
    },
    focused: () => {
      const row = document.activeElement?.closest<HTMLElement>("[data-conversation]");
      return row ? items.find((item) => item.id === row.dataset["conversation"]) : undefined;
    },
    after: (id) => {
      const place = items.findIndex((item) => item.id === id);
      return place < 0 ? undefined : (items[place + 1] ?? items[place - 1]);
    },
  }));
  const stop = items.some(({ id }) => id === focusedId) ? focusedId : (open ?? items[0]?.id);
  const isStopThere = items.some(({ id }) => id === stop);
  if (query.isPending) return <Loading />;
  if (query.isError && items.length === 0)
    return <Failed error={query.error} retry={() => void query.refetch()} />;
  if (items.length === 0) return empty;
  return (
    <div ref={scroller} className="min-h-0 flex-1 overflow-y-auto">
      <ul aria-label={t("inbox.list")} className="relative" style={{ height: virtual.getTotalSize() }}>
        {rows.map((row) => {
          const conversation = items[row.index];
          if (!conversation) return null;
          return (
            <li
              key={row.key}
              aria-setsize={hasNextPage ? -1 : items.length}
              aria-posinset={row.index + 1}
              className="absolute inset-x-0 top-0"
              style={{ height: ROW_HEIGHT, transform: `translateY(${row.start}px)` }}
            >
              <ConversationRow
                conversation={conversation}
                isOpen={conversation.id === open}
                isStop={isStopThere ? conversation.id === stop : row.index === 0}
                hasLines={hasLines}
                me={me}
                now={now}
                labels={labels}
                users={users}
                onFocus={setFocusedId}
              />
            </li>
          );
        })}
      </ul>
      {isFetchingNextPage ? <Loading className="py-4" /> : null}
    </div>
  );
}

const rowOf = (inside: HTMLElement | null, id: string) =>
  inside?.querySelector<HTMLElement>(`[data-conversation="${CSS.escape(id)}"]`);

function useRowFacts() {
  const { byId: labels } = useLabels();
  const { byId: users } = useUsers();
  const { lines } = useLines();
  return { labels, users, hasLines: lines.length > 1, now: useMinute() };
}
