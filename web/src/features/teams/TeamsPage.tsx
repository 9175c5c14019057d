import { useMutation } from "@tanstack/react-query";
import { MoreHorizontal, Plus, UsersRound } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Page } from "@/components/page";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { type Column, DataTable } from "@/components/ui/data-table";
import { Menu, MenuItem } from "@/components/ui/menu";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { useShortcuts } from "@/lib/keyboard/useShortcuts";
import { useMay } from "@/lib/session";

import { Members } from "./Members";
import { NameTeam } from "./NameTeam";
import { readAgain, type Team, useTeams } from "./wire";

type Open = { kind: "new" } | { kind: "members" | "rename" | "remove"; team: Team };

/** Who works together: what a role grants for one's teams it grants for the people named here. */
export function TeamsPage() {
  const { t } = useTranslation();
  const manages = useMay()("admin.users_manage");
  const teams = useTeams();
  const [open, setOpen] = useState<Open | null>(null);
  const close = () => setOpen(null);
  const make = () => setOpen({ kind: "new" });
  useShortcuts(manages ? [{ keys: "n", label: t("teams.make"), group: t("teams.title"), run: make }] : []);
  const remove = useMutation({
    mutationFn: ({ id }: Team) => client.DELETE("/api/v1/teams/{id}", { params: { path: { id } } }),
    onSuccess: () => {
      toast("ok", t("teams.removed"));
      return readAgain();
    },
    onError: (error) => toast("bad", errorText(error, t)),
  });
  const columns = useColumns(manages, setOpen);
  return (
    <Page
      title={t("teams.title")}
      isFilled
      actions={
        <Button
          look="solid"
          aria-disabled={!manages}
          title={manages ? undefined : t("teams.mayNot")}
          onClick={() => manages && make()}
        >
          <Plus aria-hidden />
          {t("teams.make")}
        </Button>
      }
    >
      <p className="max-w-3xl px-4 py-3 text-sm text-muted md:px-6">{t("teams.says")}</p>
      {teams.isPending ? (
        <Loading />
      ) : teams.error ? (
        <Failed error={teams.error} retry={() => void teams.refetch()} />
      ) : teams.data.length === 0 ? (
        <Empty icon={UsersRound} title={t("teams.none")}>
          {t("teams.noneNext")}
        </Empty>
      ) : (
        <DataTable label={t("teams.title")} columns={columns} rows={teams.data} rowId={({ id }) => id} />
      )}
      {open?.kind === "new" ? (
        <NameTeam onClose={close} onMade={(team) => setOpen({ kind: "members", team })} />
      ) : null}
      {open?.kind === "rename" ? <NameTeam team={open.team} onClose={close} onMade={close} /> : null}
      {open?.kind === "members" ? <Members team={open.team} manages={manages} onClose={close} /> : null}
      {open?.kind === "remove" ? (
        <Confirm
          open
          onOpenChange={close}
          title={t("teams.removeAsk", { name: open.team.name })}
          act={t("teams.remove")}
          isDangerous
          onConfirm={() => remove.mutate(open.team)}
        >
          {t("teams.removeSays")}
        </Confirm>
      ) : null}
    </Page>
  );
}

function useColumns(manages: boolean, open: (open: Open) => void): Column<Team>[] {
  const { t } = useTranslation();
  return [
    {
      id: "name",
      header: t("teams.name"),
      className: "md:w-[50%]",
      cell: (team) => (
        <button
          type="button"
          className="max-w-full truncate text-left font-medium hover:underline"
          onClick={() => open({ kind: "members", team })}
        >
          {team.name}
        </button>
      ),
    },
    {
      id: "people",
      header: t("teams.people"),
      className: "w-28 text-muted",
      cell: ({ member_count }) => member_count,
    },
    {
      id: "acts",
      header: t("teams.acts"),
      className: "w-14 text-right",
      cell: (team) => (
        <Menu
          align="end"
          trigger={
            <Button look="ghost" size="iconSm" aria-label={t("teams.actsOf", { name: team.name })}>
              <MoreHorizontal aria-hidden />
            </Button>
          }
        >
          <MenuItem onSelect={() => open({ kind: "members", team })}>{t("teams.members")}</MenuItem>
          {manages ? (
            <>
              <MenuItem onSelect={() => open({ kind: "rename", team })}>{t("teams.rename")}</MenuItem>
              <MenuItem onSelect={() => open({ kind: "remove", team })}>{t("teams.remove")}</MenuItem>
            </>
          ) : null}
        </Menu>
      ),
    },
  ];
}
