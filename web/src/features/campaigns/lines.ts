import { api } from "@/lib/api/client";

/** The lines that a campaign can be sent from. */
export function useLines() {
  const { data, error } = api.useQuery("get", "/api/v1/lines", { params: { query: { limit: 200 } } });
  return { lines: data?.items, error };
}
