/** What the inbox looks up again and again: labels, colleagues, lines, canned replies, saved filters. */
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { client } from "@/lib/api/client";
import { whole } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { useEvent } from "@/lib/live";

const LABELS = ["inbox", "labels"] as const;
const FILTERS = ["inbox", "filters"] as const;
const CANNED = ["inbox", "canned"] as const;
const STALE_MS = 5 * 60_000;

export function useLabels() {
  const { data = [] } = useQuery({
    queryKey: LABELS,
    queryFn: () => whole((query) => client.GET("/api/v1/labels", { params: { query } })),
    staleTime: STALE_MS,
  });
  const byId = useMemo(() => new Map(data.map((label) => [label.id as string, label])), [data]);
  return { labels: data, byId };
}

/** Labels are the same for all: whoever changes one changes it here. */
export function useLiveLabels(): void {
  useEvent("label.changed", () => void queryClient.invalidateQueries({ queryKey: LABELS }));
}

export function useUsers() {
  const { data = [] } = useQuery({
    queryKey: ["inbox", "users"],
    queryFn: () => whole((query) => client.GET("/api/v1/users", { params: { query } })),
    staleTime: STALE_MS,
  });
  const byId = useMemo(() => new Map(data.map((user) => [user.id as string, user])), [data]);
  return { users: data, byId };
}

export function useLines() {
  const { data = [], isPending } = useQuery({
    queryKey: ["inbox", "lines"],
    queryFn: () => whole((query) => client.GET("/api/v1/lines", { params: { query } })),
    staleTime: STALE_MS,
  });
  return { lines: data, isPending };
}

export function useCannedReplies(isEnabled: boolean) {
  const { data = [], isPending } = useQuery({
    queryKey: CANNED,
    queryFn: () => whole((query) => client.GET("/api/v1/canned-replies", { params: { query } })),
    staleTime: STALE_MS,
    enabled: isEnabled,
  });
  return { replies: data, isPending };
}

export const forgetCannedReplies = () => queryClient.invalidateQueries({ queryKey: CANNED });

export function useSavedFilters() {
  const { data = [] } = useQuery({
    queryKey: FILTERS,
    queryFn: () => whole((query) => client.GET("/api/v1/saved-filters", { params: { query } })),
    staleTime: STALE_MS,
  });
  return data;
}

export const forgetFilters = () => queryClient.invalidateQueries({ queryKey: FILTERS });
export const forgetLabels = () => queryClient.invalidateQueries({ queryKey: LABELS });
