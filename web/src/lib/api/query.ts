/** The cache of what the server said. */
import {
  type InvalidateOptions,
  type InvalidateQueryFilters,
  MutationCache,
  QueryCache,
  QueryClient,
  type QueryKey,
} from "@tanstack/react-query";

import { api } from "./client";
import { ApiError } from "./error";

export const SESSION_KEY = api.queryOptions("get", "/api/v1/session").queryKey;

/** Told when the server no longer knows who we are, or asks for a second factor first; set by the router. */
let onShutOut: (why: "signed_out" | "second_factor") => void = () => undefined;
export function whenShutOut(run: typeof onShutOut): void {
  onShutOut = run;
}

function lookAt(error: Error): void {
  if (!(error instanceof ApiError)) return;
  if (error.code === "unauthorized") onShutOut("signed_out");
  if (error.code === "second_factor_needed") onShutOut("second_factor");
}

/**
 * The library calls off an answer that is on its way when something has changed, but not the very first one: what that says would stand
 * for good, however old. So it is asked for once more.
 */
class Client extends QueryClient {
  override async invalidateQueries<Key extends QueryKey = QueryKey>(
    filters?: InvalidateQueryFilters<Key>,
    options?: InvalidateOptions,
  ): Promise<void> {
    const firsts = this.getQueryCache()
      .findAll(filters as InvalidateQueryFilters | undefined)
      .filter(({ state }) => state.fetchStatus !== "idle" && state.data === undefined);
    await super.invalidateQueries(filters, options);
    if (options?.cancelRefetch === false) return;
    const again = firsts.map(({ queryKey }) => super.invalidateQueries({ queryKey, exact: true }, options));
    await Promise.all(again);
  }
}

export const queryClient = new Client({
  queryCache: new QueryCache({ onError: lookAt }),
  mutationCache: new MutationCache({ onError: lookAt }),
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      retry: (count, error) => error instanceof ApiError && error.isTransient && count < 3,
    },
  },
});

/** The same from the first page on: cursors of keyset pages. */
export function nextCursor(page: { next_cursor?: string | null }): string | undefined {
  return page.next_cursor ?? undefined;
}
