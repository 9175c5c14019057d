/** The roles of the account, as the server says them. */
import { useQuery } from "@tanstack/react-query";

import { client, type Permission, type Schemas } from "@/lib/api/client";
import { whole } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { useRoleName } from "@/lib/session";

export type Role = Schemas["Role"];

const KEY = ["roles"];

/** All of them, the built-in ones first: an account has a hundred at most. */
export const useRoles = () =>
  useQuery({
    queryKey: KEY,
    queryFn: () => whole((query) => client.GET("/api/v1/roles", { params: { query } })),
  });

export const readAgain = () => queryClient.invalidateQueries({ queryKey: KEY });

/** Whether somebody who may do these may give, change and take away that role. */
export const isWithin = (role: Role, mine: readonly Permission[]) =>
  role.permissions.every((permission) => mine.includes(permission));

/** Built-in roles have no name of their own. */
export const isBuiltIn = ({ name }: Role) => name == null;

/** The name that somebody chooses a role by. */
export function useNameOf(): (role: Role) => string {
  const roleName = useRoleName();
  return ({ id, name }) => roleName({ role: id, role_name: name ?? null });
}
