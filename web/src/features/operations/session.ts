/** Whether the browser holds the operator's cookie. It is another one than that of somebody in a tenant. */
import { client, type Schemas } from "@/lib/api/client";
import { ApiError } from "@/lib/api/error";
import { queryClient } from "@/lib/api/query";

/** The first word of the key of everything that the operator alone may see. */
export const OPERATIONS = "operations";
const PATH = "/api/v1/platform/session" as const;
const queryKey = ["operator"];

export const operatorQuery = {
  queryKey,
  queryFn: async (): Promise<Schemas["OperatorMe"] | null> => {
    try {
      return (await client.GET(PATH)).data ?? null;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    }
  },
  staleTime: 60_000,
};

export const isOperationsPath = (pathname: string): boolean => /^\/operations(\/|$)/.test(pathname);

/** The server no longer knows the operator: what was seen is dropped, and the log-in is shown. */
export function forgetOperator(): void {
  queryClient.setQueryData(queryKey, null);
  queryClient.removeQueries({ queryKey: [OPERATIONS] });
}

/** By the installation's token, or by what a person logs in with. */
export async function openSession(body: Schemas["OperatorCredentials"]): Promise<void> {
  await client.POST(PATH, { body });
  await queryClient.fetchQuery({ ...operatorQuery, staleTime: 0 });
}

export async function closeSession(): Promise<void> {
  await client.DELETE(PATH);
  forgetOperator();
}
