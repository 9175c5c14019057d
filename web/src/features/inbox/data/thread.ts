/**
 * What was said in a conversation, as far as it is loaded: a stretch without gaps, oldest first, that grows at both ends. Events put single
 * messages into it.
 */
import { useQuery } from "@tanstack/react-query";

import { client } from "@/lib/api/client";
import { queryClient } from "@/lib/api/query";

import { now, upToDate } from "./moves";
import { instant, type Message, said } from "../wire";

export interface ThreadData {
  items: Message[];
  /** Where to go on for what is older; null at the beginning. */
  older: string | null;
  /** The same for what is newer; null where the stretch reaches the newest. */
  newer: string | null;
}

const PAGE = 50;
const LARGEST_PAGE = 200;
/** Pages read to close a gap after a while away; with more the stretch begins anew at the newest. */
const MOST_PAGES = 5;

/** `around`: the message that it was opened at. */
export const threadKey = (id: string, around?: string) =>
  ["inbox", "thread", id, around ?? "newest"] as const;

type Query = { before?: string; after?: string; around?: string; limit?: number };

async function read(id: string, query: Query): Promise<ThreadData> {
  const asked = now();
  const answer = await said(
    client.GET("/api/v1/conversations/{id}/messages", { params: { path: { id }, query } }),
  );
  return {
    items: answer.items.toReversed().map((message) => upToDate(message, asked)),
    older: answer.next_cursor ?? null,
    newer: answer.prev_cursor ?? null,
  };
}

const order = (a: Message, b: Message) => {
  const [left, right] = [instant(a.created_at), instant(b.created_at)];
  if (left !== right) return left < right ? -1 : 1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
};

/** Both, each message once, and of two the later word. */
export function merge(known: readonly Message[], news: readonly Message[]): Message[] {
  const all = new Map(known.map((message) => [message.id, message]));
  for (const message of news) all.set(message.id, message);
  return [...all.values()].sort(order);
}

export function useThread(id: string, around?: string) {
  const key = threadKey(id, around);
  return useQuery({
    queryKey: key,
    queryFn: async () => {
      const known = queryClient.getQueryData<ThreadData>(key);
      if (known) return readAgain(id, known);
      return read(id, around ? { around, limit: PAGE } : { limit: PAGE });
    },
    staleTime: 60_000,
  });
}

/** All that is loaded, as it is now. */
async function readAgain(id: string, known: ThreadData): Promise<ThreadData> {
  const oldest = known.items[0];
  if (!oldest || known.newer) {
    const middle = known.items[Math.floor(known.items.length / 2)];
    return read(id, { limit: LARGEST_PAGE, ...(middle ? { around: middle.id } : {}) });
  }
  let all = await read(id, { limit: Math.min(LARGEST_PAGE, known.items.length + PAGE) });
  for (let page = 1; page < MOST_PAGES; page++) {
    const reached = all.items[0];
    if (!all.older || !reached || order(reached, oldest) <= 0) break;
    const more = await read(id, { before: all.older, limit: LARGEST_PAGE });
    all = { ...all, items: merge(more.items, all.items), older: more.older };
  }
  return all;
}

const loading = new Set<string>();

/** Reads on at one end. Answers whether there was something to read. */
export async function loadMore(
  id: string,
  around: string | undefined,
  end: "older" | "newer",
): Promise<boolean> {
  const key = threadKey(id, around);
  const known = queryClient.getQueryData<ThreadData>(key);
  const cursor = known?.[end];
  const lock = `${key.join()}:${end}`;
  if (!cursor || loading.has(lock)) return false;
  loading.add(lock);
  try {
    const more = await read(id, { [end === "older" ? "before" : "after"]: cursor, limit: PAGE });
    queryClient.setQueryData<ThreadData>(
      key,
      (now) => now && { ...now, items: merge(now.items, more.items), [end]: more[end] },
    );
    return true;
  } finally {
    loading.delete(lock);
  }
}

function eachThread(id: string, change: (data: ThreadData) => ThreadData): void {
  const threads = queryClient.getQueriesData<ThreadData>({ queryKey: ["inbox", "thread", id] });
  for (const [key, data] of threads) {
    if (data) queryClient.setQueryData(key, change(data));
  }
}

/** Puts messages into every loaded stretch that reaches the newest. */
export function add(id: string, news: readonly Message[]): void {
  eachThread(id, (data) => (data.newer ? data : { ...data, items: merge(data.items, news) }));
}

/** Changes messages where they are loaded. */
export function patchMessages(id: string, change: (message: Message) => Message): void {
  eachThread(id, (data) => ({ ...data, items: data.items.map(change) }));
}

/** Whether the message is loaded anywhere. */
export function findMessage(id: string, message: string): Message | undefined {
  const threads = queryClient.getQueriesData<ThreadData>({ queryKey: ["inbox", "thread", id] });
  return threads.flatMap(([, data]) => data?.items ?? []).find((item) => item.id === message);
}

const isLoaded = (id: string) =>
  queryClient.getQueriesData<ThreadData>({ queryKey: ["inbox", "thread", id] }).some(([, data]) => data);

const catching = new Map<string, { isAsked: boolean; done: Promise<void> }>();

/** Reads what came after all that is loaded: one read after the other, and one for however many events came during the last. */
export function catchUp(id: string, look: (news: readonly Message[]) => void): Promise<void> {
  const running = catching.get(id);
  if (running) {
    running.isAsked = true;
    return running.done;
  }
  const state = { isAsked: true, done: Promise.resolve() };
  catching.set(id, state);
  state.done = (async () => {
    try {
      while (state.isAsked) {
        state.isAsked = false;
        await catchUpOnce(id, look);
      }
    } finally {
      catching.delete(id);
    }
  })();
  return state.done;
}

/** A thread that nobody looks at is read when somebody does. */
async function catchUpOnce(id: string, look: (news: readonly Message[]) => void): Promise<void> {
  if (!isLoaded(id)) return;
  const queryKey = ["inbox", "thread", id];
  await queryClient.invalidateQueries({ queryKey, type: "inactive", refetchType: "none" });
  if (!queryClient.getQueryCache().find({ queryKey, exact: false, type: "active" })) return;
  const newest = await read(id, { limit: 20 });
  look(newest.items);
  const isApart = newest.items.every((message) => !findMessage(id, message.id));
  if (isApart && newest.older) await queryClient.invalidateQueries({ queryKey });
  else add(id, newest.items);
  await trim(id);
}

/** Messages of one stretch that are kept: somebody who leaves a busy conversation open for days does not gather all of it. */
const MOST_KEPT = 2_000;
const KEPT_THEN = 400;

/** Lets go of the oldest of a stretch that has grown too long; they are read again by whoever scrolls there. */
async function trim(id: string): Promise<void> {
  const key = threadKey(id);
  const data = queryClient.getQueryData<ThreadData>(key);
  const oldest = data?.items.at(-KEPT_THEN);
  if (!data || data.newer || data.items.length <= MOST_KEPT || !oldest) return;
  const { older } = await read(id, { around: oldest.id, limit: 1 });
  queryClient.setQueryData<ThreadData>(key, (now) => {
    const place = now?.items.findIndex((item) => item.id === oldest.id) ?? -1;
    return now && place > 0 ? { ...now, items: now.items.slice(place), older } : now;
  });
}

/** Reads one message again that has changed, where it is loaded. */
export async function readMessage(id: string, message: string): Promise<void> {
  if (!findMessage(id, message)) return;
  const { items } = await read(id, { around: message, limit: 1 });
  const found = items.find((item) => item.id === message);
  if (found) patchMessages(id, (item) => (item.id === message ? found : item));
}
