import { api } from "@/lib/api/client";
import { PAGES } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";

/** The funnel and the rate go through all recipients: while a campaign runs they are asked for at most so often. */
const SELDOM_MS = 3_000;
/** Campaigns whose dear numbers were asked for just now, and whether there has been news since. */
const resting = new Map<string, { isBehind: boolean }>();

/** Has everything about a campaign read anew; `isNews`: at once, also what is on its way. */
export async function refresh(campaignId: string, isNews = true): Promise<void> {
  const init = { params: { path: { id: campaignId } } };
  const often = [
    api.queryOptions("get", "/api/v1/campaigns/{id}", init).queryKey,
    api.queryOptions("get", "/api/v1/campaigns/{id}/progress", init).queryKey,
    [PAGES, "recipients", campaignId],
  ];
  const how = { cancelRefetch: isNews };
  await Promise.all([
    ...often.map((queryKey) => queryClient.invalidateQueries({ queryKey }, how)),
    isNews ? refreshDear(campaignId, true) : refreshSeldom(campaignId),
  ]);
}

async function refreshDear(campaignId: string, cancelRefetch: boolean): Promise<void> {
  const init = { params: { path: { id: campaignId } } };
  const dear = [
    api.queryOptions("get", "/api/v1/campaigns/{id}/funnel", init).queryKey,
    ["campaigns", "rate", campaignId],
  ];
  await Promise.all(dear.map((queryKey) => queryClient.invalidateQueries({ queryKey }, { cancelRefetch })));
}

/** At once, and again at the end of the rest where there was news within it: the last news is not missed. */
async function refreshSeldom(campaignId: string): Promise<void> {
  const rest = resting.get(campaignId);
  if (rest) {
    rest.isBehind = true;
    return;
  }
  const begun = { isBehind: false };
  resting.set(campaignId, begun);
  setTimeout(() => {
    resting.delete(campaignId);
    if (begun.isBehind) void refreshSeldom(campaignId);
  }, SELDOM_MS);
  await refreshDear(campaignId, false);
}
