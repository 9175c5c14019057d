/** Whether the browser holds the operator's cookie. It is another one than that of somebody in a tenant. */
import { client } from "@/lib/api/client";
import { ApiError } from "@/lib/api/error";
import { queryClient } from "@/lib/api/query";

/** The first word of the key of everything that the operator alone may see. */
export const OPERATIONS = "operations";
const PATH = "/api/v1/platform/session" as const;
const queryKey = ["operator"];

export const operatorQuery = {
  queryKey,
  queryFn: async (): Promise<boolean> => {
    try {
      await client.GET(PATH);
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return false;
      throw error;
    }
  },
  staleTime: 60_000,
};

export const isOperationsPath = (pathname: string): boolean => /^\/operations(\/|$)/.test(pathname);

/** The server no longer knows the operator: what was seen is dropped, and the log-in is shown. */
export function forgetOperator(): void {
  queryClient.setQueryData(queryKey, false);
  queryClient.removeQueries({ queryKey: [OPERATIONS] });
}

export async function openSession(token: string): Promise<void> {
  await client.POST(PATH, { body: { token } });
  queryClient.setQueryData(queryKey, true);
}

export async function closeSession(): Promise<void> {
  await client.DELETE(PATH);
  forgetOperator();
}
