/** How many conversations each list holds, and how many are unread: read again soon after whatever may have changed them. */
import { useQuery } from "@tanstack/react-query";

import { client } from "@/lib/api/client";
import { queryClient } from "@/lib/api/query";
import { useEvent } from "@/lib/live";

import { type Counts, said } from "../wire";

const KEY = ["inbox", "counts"] as const;
/** Counters of a busy inbox are read once in this time, not once an event. */
const EVERY_MS = 400;

export function useCounts(): Counts | undefined {
  const { data } = useQuery({
    queryKey: KEY,
    queryFn: () => said(client.GET("/api/v1/conversations/counts")),
    staleTime: 60_000,
  });
  return data;
}

let timer: ReturnType<typeof setTimeout> | undefined;

/** Reads the counters again, soon. */
export function recount(): void {
  timer ??= setTimeout(() => {
    timer = undefined;
    void queryClient.invalidateQueries({ queryKey: KEY });
  }, EVERY_MS);
}

/** Keeps the counters right for as long as somebody is logged in. */
export function useLiveCounts(): void {
  useEvent("message.new", recount);
  useEvent("conversation.updated", recount);
  useEvent("unread.changed", recount);
}
