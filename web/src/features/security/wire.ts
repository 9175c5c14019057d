/** What the screens of security read, and how it is read anew. */
import { api } from "@/lib/api/client";
import { queryClient } from "@/lib/api/query";
import { sessionQuery } from "@/lib/session";

export const FACTOR = "/api/v1/second-factor";
export const POLICY = "/api/v1/log-in-policy";

export const factorQuery = api.queryOptions("get", FACTOR);

/** Who is logged in, and how, as the server has it. */
export const readAgain = () =>
  Promise.all(
    [factorQuery.queryKey, sessionQuery.queryKey].map((queryKey) =>
      queryClient.invalidateQueries({ queryKey }),
    ),
  );
