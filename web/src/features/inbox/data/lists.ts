/** The lists of conversations in the cache, and how one conversation finds its place in each without any of them being read anew. */
import { type InfiniteData, useInfiniteQuery } from "@tanstack/react-query";

import { client, type Schemas } from "@/lib/api/client";
import { nextCursor, queryClient } from "@/lib/api/query";

import { type ListFilter, matches } from "../view";
import { type Conversation, instant, said } from "../wire";

type Page = Schemas["Page_Conversation"];
export type Pages = InfiniteData<Page, string | undefined>;

const LIST = ["inbox", "list"] as const;
const PAGE = 40;

export const listKey = (filter: ListFilter) => [...LIST, filter] as const;
export const conversationKey = (id: string) => ["inbox", "conversation", id] as const;

export function useConversations(filter: ListFilter) {
  return useInfiniteQuery({
    queryKey: listKey(filter),
    queryFn: ({ pageParam, signal }) => {
      const query = { ...filter, limit: PAGE, ...(pageParam ? { cursor: pageParam } : {}) };
      return said(client.GET("/api/v1/conversations", { params: { query }, signal }));
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: nextCursor,
  });
}

/** Newest first, as the server sorts them. */
export function comesBefore(a: Conversation, b: Conversation): boolean {
  const [left, right] = [instant(a.last_message_at), instant(b.last_message_at)];
  return left === right ? a.id > b.id : left > right;
}

/** The pages with the conversation in its place, or without it. The same object where nothing changes. */
export function placed(pages: Pages, conversation: Conversation, isWanted: boolean): Pages {
  const isThere = pages.pages.some((page) => page.items.some(({ id }) => id === conversation.id));
  if (!isThere && !isWanted) return pages;
  const rest = pages.pages.map((page) => ({
    ...page,
    items: page.items.filter(({ id }) => id !== conversation.id),
  }));
  if (!isWanted) return { ...pages, pages: rest };
  for (const page of rest) {
    const place = page.items.findIndex((other) => comesBefore(conversation, other));
    if (place < 0) continue;
    page.items.splice(place, 0, conversation);
    return { ...pages, pages: rest };
  }
  const last = rest.at(-1);
  // after all that is loaded: it is shown once the list is read up to there
  if (last && !last.next_cursor) last.items.push(conversation);
  return { ...pages, pages: rest };
}

function eachList(change: (pages: Pages, filter: ListFilter) => Pages): void {
  for (const [key, pages] of queryClient.getQueriesData<Pages>({ queryKey: LIST })) {
    if (!pages) continue;
    const changed = change(pages, key[2] as ListFilter);
    if (changed !== pages) queryClient.setQueryData(key, changed);
  }
}

/**
 * Puts what the server said of a conversation everywhere it is shown. One that is open stays in a list of unread ones: it would vanish
 * under the eyes of whoever is reading it.
 */
export function place(conversation: Conversation, me: string, open?: string): void {
  queryClient.setQueryData(conversationKey(conversation.id), conversation);
  eachList((pages, filter) => {
    const isOpen = conversation.id === open;
    const asked = isOpen ? { ...filter, unread: undefined } : filter;
    const isThere = () => pages.pages.some((page) => page.items.some(({ id }) => id === conversation.id));
    const isWanted =
      matches(asked as ListFilter, conversation, me) && (!isOpen || !filter.unread || isThere());
    return placed(pages, conversation, isWanted);
  });
}

/** Takes a conversation that is not there any more out of everything. */
export function drop(id: string): void {
  queryClient.removeQueries({ queryKey: conversationKey(id) });
  eachList((pages) => ({
    ...pages,
    pages: pages.pages.map((page) => ({ ...page, items: page.items.filter((item) => item.id !== id) })),
  }));
}

/** Changes what is known of a conversation, where it is known. */
export function patch(id: string, change: (conversation: Conversation) => Conversation): void {
  queryClient.setQueryData<Conversation>(conversationKey(id), (known) => known && change(known));
  eachList((pages) => {
    if (!pages.pages.some((page) => page.items.some((item) => item.id === id))) return pages;
    const swap = (item: Conversation) => (item.id === id ? change(item) : item);
    return { ...pages, pages: pages.pages.map((page) => ({ ...page, items: page.items.map(swap) })) };
  });
}

/** What is known of a conversation, from itself or from any list. */
export function known(id: string): Conversation | undefined {
  const own = queryClient.getQueryData<Conversation>(conversationKey(id));
  if (own) return own;
  for (const [, pages] of queryClient.getQueriesData<Pages>({ queryKey: LIST })) {
    const found = pages?.pages.flatMap((page) => page.items).find((item) => item.id === id);
    if (found) return found;
  }
  return undefined;
}
