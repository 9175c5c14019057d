/** Who is logged in, and what they may do. */
import { useCallback } from "react";
import { useTranslation } from "react-i18next";

import { api, type Permission, type Schemas } from "./api/client";
import { ApiError } from "./api/error";
import { queryClient } from "./api/query";

export type Me = Schemas["Me"];

export const sessionQuery = api.queryOptions(
  "get",
  "/api/v1/session",
  {},
  { staleTime: 60_000, retry: false },
);

/** Who is logged in; null where nobody is. Other errors are thrown. `isAsked`: the server says so, whatever is remembered here. */
export async function findSession(isAsked = false): Promise<Me | null> {
  try {
    return await queryClient.fetchQuery({
      ...sessionQuery,
      staleTime: isAsked ? 0 : Number.POSITIVE_INFINITY,
    });
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  }
}

/** Who is logged in, on screens that only somebody logged in sees. */
export function useMe(): Me {
  const { data } = api.useSuspenseQuery("get", "/api/v1/session", {}, { staleTime: 60_000 });
  return data;
}

/** Whether whoever is logged in may do that. */
export function useMay(): (permission: Permission) => boolean {
  const { permissions } = useMe();
  return useCallback((permission: Permission) => permissions.includes(permission), [permissions]);
}

/** A built-in role; one of the account's own is an id in its place. */
type BuiltIn = "owner" | "admin" | "supervisor" | "agent" | "marketing" | "billing" | "read_only";

/** What somebody's role is called. */
export function useRoleName(): (user: Pick<Schemas["User"], "role" | "role_name">) => string {
  const { t } = useTranslation();
  return ({ role, role_name }) => role_name ?? t(`roles.${role as BuiltIn}`);
}
