import { useQuery } from "@tanstack/react-query";
import { useCallback } from "react";

import { client } from "@/lib/api/client";
import { whole } from "@/lib/api/pages";
import { useMay } from "@/lib/session";

const STALE_MS = 5 * 60_000;

/** Lanes and gates of a line are keyed by its id: people know it by its name. */
export function useLaneName(): (key: string) => string {
  const may = useMay();
  const { data } = useQuery({
    queryKey: ["jobs", "lines"],
    queryFn: () => whole((query) => client.GET("/api/v1/lines", { params: { query } })),
    staleTime: STALE_MS,
    enabled: may("conversations.view"),
  });
  return useCallback(
    (key) => {
      const [, id, rest = ""] = /^line\/([0-9a-f-]{36})(.*)$/.exec(key) ?? [];
      const line = data?.find((one) => one.id === id);
      return line ? `${line.name}${rest}` : key;
    },
    [data],
  );
}
