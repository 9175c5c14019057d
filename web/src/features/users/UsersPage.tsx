import { useMutation } from "@tanstack/react-query";
import { MoreHorizontal, UserPlus } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Page } from "@/components/page";
import { Badge, type Tone } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { type Column, DataTable } from "@/components/ui/data-table";
import { Menu, MenuItem } from "@/components/ui/menu";
import { Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { client, type Schemas } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { PAGE_ROWS, PAGES, usePages } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { useFormats } from "@/lib/format";
import { useShortcuts } from "@/lib/keyboard/useShortcuts";
import { useMay, useMe, useRoleName } from "@/lib/session";

import { readAgain as readRolesAgain } from "@/features/roles/wire";

import { EditUser, InviteUser, LinkShown } from "./UserForms";

export type User = Schemas["User"];
export type Invited = Schemas["Invited"];

type Open =
  | { kind: "invite" }
  | { kind: "edit" | "deactivate" | "takeFactor"; user: User }
  | { kind: "link"; invited: Invited };

/** Whoever is a name in the cache of the inbox is read anew too, and how many people have each role. */
export const readAgain = () =>
  Promise.all([
    queryClient.invalidateQueries({ queryKey: [PAGES, "users"] }),
    queryClient.invalidateQueries({ queryKey: ["inbox", "users"] }),
    readRolesAgain(),
  ]);

/** Who works here: what they may do, who is invited, who is out. */
export function UsersPage() {
  const { t } = useTranslation();
  const manages = useMay()("admin.users_manage");
  const [open, setOpen] = useState<Open | null>(null);
  const pages = usePages(["users"], (cursor, signal) =>
    client.GET("/api/v1/users", { params: { query: { cursor, limit: PAGE_ROWS } }, signal }),
  );
  const acts = useActs(setOpen);
  const invite = () => setOpen({ kind: "invite" });
  useShortcuts(
    manages ? [{ keys: "n", label: t("users.invite"), group: t("users.title"), run: invite }] : [],
  );
  const columns = useColumns(manages, acts);
  const close = () => setOpen(null);
  return (
    <Page
      title={t("users.title")}
      isFilled
      actions={
        <Button
          look="solid"
          aria-disabled={!manages}
          title={manages ? undefined : t("users.mayNot")}
          onClick={() => manages && invite()}
        >
          <UserPlus aria-hidden />
          {t("users.invite")}
        </Button>
      }
    >
      {pages.isPending ? (
        <Loading />
      ) : pages.error ? (
        <Failed error={pages.error} retry={pages.refetch} />
      ) : (
        <DataTable
          label={t("users.title")}
          columns={columns}
          rows={pages.rows}
          rowId={({ id }) => id}
          hasMore={pages.hasMore}
          isLoadingMore={pages.isLoadingMore}
          loadMore={pages.loadMore}
        />
      )}
      {open?.kind === "invite" ? (
        <InviteUser onClose={close} onInvited={(invited) => setOpen({ kind: "link", invited })} />
      ) : null}
      {open?.kind === "edit" ? <EditUser user={open.user} onClose={close} /> : null}
      {open?.kind === "link" ? <LinkShown invited={open.invited} onClose={close} /> : null}
      {open?.kind === "deactivate" ? (
        <Confirm
          open
          onOpenChange={close}
          title={t("users.deactivateAsk", { name: open.user.name })}
          act={t("users.deactivate")}
          isDangerous
          onConfirm={() => acts.setActive(open.user, false)}
        >
          {t("users.deactivateSays")}
        </Confirm>
      ) : null}
      {open?.kind === "takeFactor" ? (
        <Confirm
          open
          onOpenChange={close}
          title={t("users.takeFactorAsk", { name: open.user.name })}
          act={t("users.takeFactor")}
          isDangerous
          onConfirm={() => acts.takeFactor(open.user)}
        >
          {t("users.takeFactorSays")}
        </Confirm>
      ) : null}
    </Page>
  );
}

interface Acts {
  edit: (user: User) => void;
  ask: (kind: "deactivate" | "takeFactor", user: User) => void;
  takeFactor: (user: User) => void;
  link: (user: User) => void;
  setActive: (user: User, isActive: boolean) => void;
}

function useActs(setOpen: (open: Open) => void): Acts {
  const { t } = useTranslation();
  const onError = (error: Error) => toast("bad", errorText(error, t));
  const again = useMutation({
    mutationFn: async ({ id, is_invited }: User) => {
      const params = { params: { path: { id } } };
      const made = is_invited
        ? client.POST("/api/v1/users/{id}/invitation", params)
        : client.POST("/api/v1/users/{id}/password-reset", params);
      return (await made).data;
    },
    onSuccess: (invited) => invited && setOpen({ kind: "link", invited }),
    onError,
  });
  const takeFactor = useMutation({
    mutationFn: ({ id }: User) =>
      client.DELETE("/api/v1/users/{id}/second-factor", { params: { path: { id } } }),
    onSuccess: () => {
      toast("ok", t("users.factorTaken"));
      return readAgain();
    },
    onError,
  });
  const active = useMutation({
    mutationFn: ({ id, is_active }: { id: string; is_active: boolean }) =>
      client.PATCH("/api/v1/users/{id}", { params: { path: { id } }, body: { is_active } as never }),
    onSuccess: (_, { is_active }) => {
      toast("ok", t(is_active ? "users.activated" : "users.deactivated"));
      return readAgain();
    },
    onError,
  });
  return {
    edit: (user) => setOpen({ kind: "edit", user }),
    ask: (kind, user) => setOpen({ kind, user }),
    takeFactor: (user) => takeFactor.mutate(user),
    link: (user) => again.mutate(user),
    setActive: ({ id }, is_active) => active.mutate({ id, is_active }),
  };
}

const STATES: Record<"active" | "invited" | "off", Tone> = { active: "ok", invited: "info", off: "quiet" };
const stateOf = ({ is_active, is_invited }: User): keyof typeof STATES =>
  is_active ? (is_invited ? "invited" : "active") : "off";

function State({ user, className }: { user: User; className?: string }) {
  const { t } = useTranslation();
  const state = stateOf(user);
  return (
    <Badge tone={STATES[state]} className={className}>
      {t(`users.states.${state}`)}
    </Badge>
  );
}

function useColumns(manages: boolean, acts: Acts): Column<User>[] {
  const { t } = useTranslation();
  const formats = useFormats();
  const me = useMe().user.id;
  const roleName = useRoleName();
  return [
    {
      id: "name",
      header: t("users.name"),
      className: "md:w-[28%]",
      cell: (user) => (
        <span className="flex items-center gap-2 font-medium">
          <span className="truncate" title={user.name}>
            {user.name}
            {user.id === me ? <span className="text-faint"> · {t("users.you")}</span> : null}
          </span>
          {/* where there is no room for a column of it, whoever is not simply there says so */}
          {stateOf(user) === "active" ? null : <State user={user} className="shrink-0 sm:hidden" />}
        </span>
      ),
    },
    {
      id: "email",
      header: t("users.email"),
      className: "hidden text-muted md:table-cell",
      cell: ({ email }) => email,
    },
    {
      id: "role",
      header: t("users.role"),
      className: "w-28 md:w-36",
      cell: roleName,
    },
    {
      id: "state",
      header: t("users.state"),
      className: "hidden w-28 sm:table-cell",
      cell: (user) => <State user={user} />,
    },
    {
      id: "since",
      header: t("users.since"),
      className: "hidden w-36 text-muted lg:table-cell",
      cell: ({ created_at }) => (
        <time title={formats.dateTime(created_at)}>{formats.relative(created_at)}</time>
      ),
    },
    ...(manages
      ? [
          {
            id: "acts",
            header: t("users.acts"),
            className: "w-14 text-right",
            cell: (user: User) => <RowMenu user={user} acts={acts} isMe={user.id === me} />,
          },
        ]
      : []),
  ];
}

function RowMenu({ user, acts, isMe }: { user: User; acts: Acts; isMe: boolean }) {
  const { t } = useTranslation();
  return (
    <Menu
      align="end"
      trigger={
        <Button look="ghost" size="iconSm" aria-label={t("users.actsOf", { name: user.name })}>
          <MoreHorizontal aria-hidden />
        </Button>
      }
    >
      <MenuItem onSelect={() => acts.edit(user)}>{t("users.edit")}</MenuItem>
      {user.is_active && (user.is_invited || !isMe) ? (
        <MenuItem onSelect={() => acts.link(user)}>
          {t(user.is_invited ? "users.again" : "users.resetLink")}
        </MenuItem>
      ) : null}
      {user.has_second_factor && !isMe ? (
        <MenuItem onSelect={() => acts.ask("takeFactor", user)}>{t("users.takeFactor")}</MenuItem>
      ) : null}
      {isMe ? null : user.is_active ? (
        <MenuItem onSelect={() => acts.ask("deactivate", user)}>{t("users.deactivate")}</MenuItem>
      ) : (
        <MenuItem onSelect={() => acts.setActive(user, true)}>{t("users.activate")}</MenuItem>
      )}
    </Menu>
  );
}
