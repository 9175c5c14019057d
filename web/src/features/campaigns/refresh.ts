import { api } from "@/lib/api/client";
import { PAGES } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";

/** The funnel and the rate go through all recipients: while a campaign runs they are asked for at most so often. */
const SELDOM_MS = 3_000;

/** Has everything about a campaign read anew; `isNews`: at once, also what is on its way. */
export async function refresh(campaignId: string, isNews = true): Promise<void> {
  const init = { params: { path: { id: campaignId } } };
  const often = [
    api.queryOptions("get", "/api/v1/campaigns/{id}", init).queryKey,
    api.queryOptions("get", "/api/v1/campaigns/{id}/progress", init).queryKey,
    [PAGES, "recipients", campaignId],
  ];
  const seldom = [
    api.queryOptions("get", "/api/v1/campaigns/{id}/funnel", init).queryKey,
    ["campaigns", "rate", campaignId],
  ];
  const how = { cancelRefetch: isNews };
  await Promise.all([
    ...often.map((queryKey) => queryClient.invalidateQueries({ queryKey }, how)),
    ...seldom.map((queryKey) =>
      queryClient.invalidateQueries(
        {
          queryKey,
          predicate: ({ state }) => isNews || Date.now() - state.dataUpdatedAt > SELDOM_MS,
        },
        how,
      ),
    ),
  ]);
}
