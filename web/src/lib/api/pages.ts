/** Lists that go on for as long as somebody scrolls: keyset pages, one after the other. */
import { type QueryKey, useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";

interface PageOf<Item> {
  items: Item[];
  next_cursor?: string | null;
}

/** Rows asked for at a time. */
export const PAGE_ROWS = 100;

/** The first word of every such key; an event about a kind of thing has `["pages", "imports"]` read anew. */
export const PAGES = "pages";

/** Rows of a page of a list that is wanted whole, and the most pages of one. */
const WHOLE_ROWS = 200;
const MOST_PAGES = 10;

/** The whole of a short list: labels, colleagues, lines. */
export async function whole<Item>(
  load: (query: { limit: number; cursor?: string }) => Promise<{ data?: PageOf<Item> | undefined }>,
): Promise<Item[]> {
  const items: Item[] = [];
  let cursor: string | null | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const { data } = await load({ limit: WHOLE_ROWS, ...(cursor ? { cursor } : {}) });
    items.push(...(data?.items ?? []));
    cursor = data?.next_cursor;
    if (!cursor) break;
  }
  return items;
}

interface Pages<Item> {
  rows: Item[];
  error: Error | null;
  isPending: boolean;
  hasMore: boolean;
  isLoadingMore: boolean;
  loadMore: () => void;
  refetch: () => void;
}

export function usePages<Item>(
  key: QueryKey,
  load: (cursor: string | undefined, signal: AbortSignal) => Promise<{ data?: PageOf<Item> | undefined }>,
): Pages<Item> {
  const query = useInfiniteQuery({
    queryKey: [PAGES, ...key],
    queryFn: async ({ pageParam, signal }) => (await load(pageParam, signal)).data ?? { items: [] },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: PageOf<Item>) => page.next_cursor ?? undefined,
  });
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  return {
    rows,
    error: query.error,
    isPending: query.isPending,
    hasMore: query.hasNextPage,
    isLoadingMore: query.isFetchingNextPage,
    loadMore: () => void query.fetchNextPage(),
    refetch: () => void query.refetch(),
  };
}
