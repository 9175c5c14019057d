import { useTranslation } from "react-i18next";

import { Select } from "@/components/ui/input";
import type { Permission } from "@/lib/api/client";

import { type Scope, SCOPED, SCOPES } from "./permissions";
import { type Grants, reaches, scopeIn } from "./wire";

/** What a role is to grant, and how far. */
export type Wanted = ReadonlyMap<Permission, Scope>;

interface GrantsProps {
  permissions: readonly Permission[];
  wanted: Wanted;
  mine: Grants;
  /** It is only looked at. */
  isFixed: boolean;
  /** Undefined takes them away. */
  set: (permissions: readonly Permission[], scope: (permission: Permission) => Scope | undefined) => void;
}

/** The permissions of one group: a box for each, and beside those about conversations how far it reaches. */
export function GrantsOf({ permissions, wanted, mine, isFixed, set }: GrantsProps) {
  const { t } = useTranslation();
  const own = (permission: Permission) => scopeIn(mine, permission);
  const open = permissions.filter(own);
  const count = open.filter((permission) => wanted.has(permission)).length;
  return (
    <ul className="flex flex-col gap-1.5">
      {isFixed || open.length < 2 ? null : (
        <li className="border-b border-line pb-1.5">
          <label className="flex items-center gap-2 text-sm text-muted">
            <input
              type="checkbox"
              checked={count === open.length}
              ref={(box) => {
                if (box) box.indeterminate = count > 0 && count < open.length;
              }}
              onChange={({ target }) => set(open, target.checked ? own : () => undefined)}
            />
            {t("permissions.all")}
          </label>
        </li>
      )}
      {permissions.map((permission) => {
        const isMine = own(permission) !== undefined;
        const scope = wanted.get(permission);
        return (
          <li key={permission} className="flex min-h-7 items-center gap-2">
            <label
              className="flex min-w-0 flex-1 items-center gap-2 text-sm has-disabled:text-faint"
              title={isMine || isFixed ? undefined : t("permissions.notYours")}
            >
              <input
                type="checkbox"
                className="shrink-0"
                checked={scope !== undefined}
                disabled={isFixed || !isMine}
                onChange={({ target }) => set([permission], target.checked ? own : () => undefined)}
              />
              {t(`permissions.names.${permission}`)}
            </label>
            {scope && SCOPED.includes(permission) ? (
              <Reach
                permission={permission}
                scope={scope}
                mine={own(permission)}
                isFixed={isFixed}
                set={(chosen) => set([permission], () => chosen)}
              />
            ) : null}
          </li>
        );
      })}
    </ul>
  );
}

interface ReachProps {
  permission: Permission;
  scope: Scope;
  mine: Scope | undefined;
  isFixed: boolean;
  set: (scope: Scope) => void;
}

function Reach({ permission, scope, mine, isFixed, set }: ReachProps) {
  const { t } = useTranslation();
  return (
    <Select
      aria-label={t("permissions.reachOf", { name: t(`permissions.names.${permission}`) })}
      className="h-7 w-auto shrink-0 text-sm"
      value={scope}
      disabled={isFixed || mine === undefined}
      onChange={({ target }) => set(target.value as Scope)}
    >
      {SCOPES.map((one) => (
        <option key={one} value={one} disabled={!reaches(mine, one)}>
          {t(`permissions.reach.${one}`)}
        </option>
      ))}
    </Select>
  );
}
