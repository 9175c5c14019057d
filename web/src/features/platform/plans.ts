import { useQuery } from "@tanstack/react-query";

import { OPERATIONS } from "@/features/operations/session";
import { client, type Schemas } from "@/lib/api/client";
import { whole } from "@/lib/api/pages";

/** All plans, to choose from. */
export function usePlans(): readonly Schemas["Plan"][] {
  const plans = useQuery({
    queryKey: [OPERATIONS, "plans", "all"],
    queryFn: () => whole((query) => client.GET("/api/v1/platform/plans", { params: { query } })),
  });
  return plans.data ?? [];
}

export const LIMITS = [
  "most_users",
  "most_lines",
  "most_contacts",
  "most_messages",
  "most_campaigns",
  "most_storage_bytes",
  "most_ai_tokens",
] as const satisfies readonly (keyof Schemas["PlanLimits"])[];
