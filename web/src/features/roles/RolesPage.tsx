import { getRouteApi } from "@tanstack/react-router";
import { useMutation } from "@tanstack/react-query";
import { MoreHorizontal, Plus } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Page } from "@/components/page";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { type Column, DataTable } from "@/components/ui/data-table";
import { Menu, MenuItem } from "@/components/ui/menu";
import { Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { useShortcuts } from "@/lib/keyboard/useShortcuts";
import { useMe } from "@/lib/session";

import { ALL } from "./permissions";
import { RoleEditor } from "./RoleEditor";
import { isBuiltIn, isWithin, readAgain, type Role, useNameOf, useRoles } from "./wire";

const route = getRouteApi("/app/settings/roles");

/** What each role lets somebody do; those of the account are made and changed here. */
export function RolesPage() {
  const { t } = useTranslation();
  const { role: open, from } = route.useSearch();
  const navigate = route.useNavigate();
  const roles = useRoles();
  const [removing, setRemoving] = useState<Role | null>(null);
  const nameOf = useNameOf();
  const edit = (role: string, from?: string) => void navigate({ search: { role, from } });
  useShortcuts([
    { keys: "n", label: t("permissions.make"), group: t("permissions.title"), run: () => edit("new") },
  ]);
  const remove = useMutation({
    mutationFn: ({ id }: Role) => client.DELETE("/api/v1/roles/{id}", { params: { path: { id } } }),
    onSuccess: () => {
      toast("ok", t("permissions.removed"));
      return readAgain();
    },
    onError: (error) => toast("bad", errorText(error, t)),
  });
  const columns = useColumns({ edit, remove: setRemoving });
  if (roles.isPending) return <Loading />;
  if (roles.error) return <Failed error={roles.error} retry={() => void roles.refetch()} />;
  if (open !== undefined) {
    return (
      <RoleEditor
        key={`${open} ${from}`}
        roles={roles.data}
        open={open}
        from={from}
        onClose={() => void navigate({ search: {} })}
        onCopy={(id) => edit("new", id)}
      />
    );
  }
  return (
    <Page
      title={t("permissions.title")}
      isFilled
      actions={
        <Button look="solid" onClick={() => edit("new")}>
          <Plus aria-hidden />
          {t("permissions.make")}
        </Button>
      }
    >
      <p className="max-w-3xl px-4 py-3 text-sm text-muted md:px-6">{t("permissions.says")}</p>
      <DataTable label={t("permissions.title")} columns={columns} rows={roles.data} rowId={({ id }) => id} />
      {removing ? (
        <Confirm
          open
          onOpenChange={() => setRemoving(null)}
          title={t("permissions.removeAsk", { name: nameOf(removing) })}
          act={t("permissions.remove")}
          isDangerous
          onConfirm={() => remove.mutate(removing)}
        >
          {t("permissions.removeSays")}
        </Confirm>
      ) : null}
    </Page>
  );
}

interface Acts {
  edit: (role: string, from?: string) => void;
  remove: (role: Role) => void;
}

function useColumns(acts: Acts): Column<Role>[] {
  const { t } = useTranslation();
  const nameOf = useNameOf();
  return [
    {
      id: "role",
      header: t("permissions.role"),
      className: "md:w-[40%]",
      cell: (role) => (
        <span className="flex items-center gap-2 font-medium">
          <button
            type="button"
            className="truncate text-left hover:underline"
            onClick={() => acts.edit(role.id)}
          >
            {nameOf(role)}
          </button>
          {isBuiltIn(role) ? (
            <Badge tone="quiet" className="shrink-0">
              {t("permissions.builtIn")}
            </Badge>
          ) : null}
        </span>
      ),
    },
    {
      id: "grants",
      header: t("permissions.grants"),
      className: "hidden w-36 text-muted sm:table-cell",
      cell: ({ permissions }) => t("permissions.count", { count: permissions.length, total: ALL.length }),
    },
    {
      id: "people",
      header: t("permissions.people"),
      className: "w-24 text-muted",
      cell: ({ user_count }) => user_count,
    },
    {
      id: "acts",
      header: t("permissions.acts"),
      className: "w-14 text-right",
      cell: (role) => <RowMenu role={role} acts={acts} />,
    },
  ];
}

function RowMenu({ role, acts }: { role: Role; acts: Acts }) {
  const { t } = useTranslation();
  const name = useNameOf()(role);
  const mine = useMe();
  const isChangeable = !isBuiltIn(role) && isWithin(role, mine);
  return (
    <Menu
      align="end"
      trigger={
        <Button look="ghost" size="iconSm" aria-label={t("permissions.actsOf", { name })}>
          <MoreHorizontal aria-hidden />
        </Button>
      }
    >
      <MenuItem onSelect={() => acts.edit(role.id)}>
        {t(isChangeable ? "permissions.edit" : "permissions.look")}
      </MenuItem>
      <MenuItem onSelect={() => acts.edit("new", role.id)}>{t("permissions.copy")}</MenuItem>
      {isBuiltIn(role) ? null : (
        <MenuItem
          disabled={role.user_count > 0}
          title={role.user_count > 0 ? t("permissions.inUse") : undefined}
          onSelect={() => acts.remove(role)}
        >
          {t("permissions.remove")}
        </MenuItem>
      )}
    </Menu>
  );
}
