/** The roles of the account, as the server says them. */
import { useQuery } from "@tanstack/react-query";

import { client, type Permission, type Schemas } from "@/lib/api/client";
import { whole } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { type Me, useRoleName } from "@/lib/session";

import { type Scope, SCOPES } from "./permissions";

export type Role = Schemas["Role"];

const KEY = ["roles"];

/** All of them, the built-in ones first: an account has a hundred at most. */
export const useRoles = () =>
  useQuery({
    queryKey: KEY,
    queryFn: () => whole((query) => client.GET("/api/v1/roles", { params: { query } })),
  });

export const readAgain = () => queryClient.invalidateQueries({ queryKey: KEY });

/** What somebody may do, and how far. */
export type Grants = Pick<Me, "permissions" | "scopes">;

/** How far that permission reaches; not at all: undefined. */
export const scopeIn = ({ permissions, scopes }: Grants, permission: Permission): Scope | undefined =>
  permissions.includes(permission) ? (scopes[permission] ?? "all") : undefined;

/** Whether the one reaches as far as the other. */
export const reaches = (mine: Scope | undefined, wanted: Scope) =>
  mine !== undefined && SCOPES.indexOf(mine) >= SCOPES.indexOf(wanted);

/** Whether somebody who may do these may give, change and take away that role. */
export const isWithin = (role: Role, mine: Grants) =>
  role.permissions.every((permission) =>
    reaches(scopeIn(mine, permission), scopeIn(role, permission) ?? "all"),
  );

/** Built-in roles have no name of their own. */
export const isBuiltIn = ({ name }: Role) => name == null;

/** The name that somebody chooses a role by. */
export function useNameOf(): (role: Role) => string {
  const roleName = useRoleName();
  return ({ id, name }) => roleName({ role: id, role_name: name ?? null });
}
