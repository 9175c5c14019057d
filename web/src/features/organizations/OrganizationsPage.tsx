import { getRouteApi, Link } from "@tanstack/react-router";
import { useMutation } from "@tanstack/react-query";
import { ArrowLeft, Building2, MoreHorizontal, Plus } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Page } from "@/components/page";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { type Column, DataTable } from "@/components/ui/data-table";
import { Menu, MenuItem } from "@/components/ui/menu";
import { Notice } from "@/components/ui/notice";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { useFormats } from "@/lib/format";
import { useShortcuts } from "@/lib/keyboard/useShortcuts";
import { useMay } from "@/lib/session";

import { NameForm } from "./NameForm";
import { SettingsForm } from "./SettingsForm";
import { type Organization, readOrganizationsAgain, useOrganizations } from "./wire";

const route = getRouteApi("/app/settings/organizations");

/** What is being done to which: none of a new one. */
type Open = { kind: "name"; organization?: Organization } | { kind: "remove"; organization: Organization };

/** The organizations of the account, and of the one that is open its settings. */
export function OrganizationsPage() {
  const { t } = useTranslation();
  const { organization: id } = route.useSearch();
  const navigate = route.useNavigate();
  const organizations = useOrganizations();
  const [open, setOpen] = useState<Open | null>(null);
  if (organizations.isPending) return <Loading />;
  if (organizations.error) {
    return <Failed error={organizations.error} retry={() => void organizations.refetch()} />;
  }
  const shown = organizations.data.find((one) => one.id === id);
  const back = () => void navigate({ search: {} });
  return (
    <>
      {id === undefined ? (
        <List organizations={organizations.data} onOpen={setOpen} />
      ) : shown ? (
        <One key={id} organization={shown} back={back} onOpen={setOpen} />
      ) : (
        <Page title={t("organizations.title")} back={<Back onBack={back} />}>
          <Notice tone="info">{t("organizations.gone")}</Notice>
        </Page>
      )}
      <Dialogs
        open={open}
        close={() => setOpen(null)}
        onMade={({ id }) => void navigate({ search: { organization: id } })}
        onRemoved={back}
      />
    </>
  );
}

function Back({ onBack }: { onBack: () => void }) {
  const { t } = useTranslation();
  return (
    <Button look="ghost" size="iconSm" aria-label={t("organizations.back")} onClick={onBack}>
      <ArrowLeft aria-hidden />
    </Button>
  );
}

interface OneProps {
  organization: Organization;
  back: () => void;
  onOpen: (open: Open) => void;
}

function One({ organization, back, onOpen }: OneProps) {
  const { t } = useTranslation();
  const manages = useMay()("admin.settings_manage");
  return (
    <SettingsForm
      level={organization.id}
      title={organization.name}
      back={<Back onBack={back} />}
      actions={
        manages ? (
          <Button onClick={() => onOpen({ kind: "name", organization })}>{t("organizations.rename")}</Button>
        ) : null
      }
    >
      <p className="text-sm text-muted">{t("organizations.oneSays")}</p>
    </SettingsForm>
  );
}

interface ListProps {
  organizations: Organization[];
  onOpen: (open: Open) => void;
}

function List({ organizations, onOpen }: ListProps) {
  const { t } = useTranslation();
  const manages = useMay()("admin.settings_manage");
  const make = () => onOpen({ kind: "name" });
  useShortcuts(
    manages
      ? [{ keys: "n", label: t("organizations.make"), group: t("organizations.title"), run: make }]
      : [],
  );
  const columns = useColumns(manages, onOpen);
  return (
    <Page
      title={t("organizations.title")}
      isFilled
      actions={
        <Button
          look="solid"
          aria-disabled={!manages}
          title={manages ? undefined : t("organizations.mayNot")}
          onClick={() => manages && make()}
        >
          <Plus aria-hidden />
          {t("organizations.make")}
        </Button>
      }
    >
      <p className="max-w-3xl px-4 py-3 text-sm text-muted md:px-6">{t("organizations.says")}</p>
      {organizations.length === 0 ? (
        <Empty icon={Building2} title={t("organizations.noneYet")}>
          {t("organizations.noneYetNext")}
        </Empty>
      ) : (
        <DataTable
          label={t("organizations.title")}
          columns={columns}
          rows={organizations}
          rowId={({ id }) => id}
        />
      )}
    </Page>
  );
}

function useColumns(manages: boolean, onOpen: (open: Open) => void): Column<Organization>[] {
  const { t } = useTranslation();
  const formats = useFormats();
  return [
    {
      id: "name",
      header: t("organizations.name"),
      className: "md:w-[45%]",
      cell: ({ id, name }) => (
        <Link
          to="/settings/organizations"
          search={{ organization: id }}
          className="block truncate font-medium hover:underline"
        >
          {name}
        </Link>
      ),
    },
    {
      id: "lines",
      header: t("organizations.lines"),
      className: "w-24 text-muted",
      cell: ({ line_count }) => formats.number(line_count),
    },
    {
      id: "since",
      header: t("organizations.since"),
      className: "hidden text-muted sm:table-cell",
      cell: ({ created_at }) => <time title={formats.dateTime(created_at)}>{formats.date(created_at)}</time>,
    },
    ...(manages
      ? [
          {
            id: "acts",
            header: t("organizations.acts"),
            className: "w-14 text-right",
            cell: (organization: Organization) => <RowMenu organization={organization} onOpen={onOpen} />,
          },
        ]
      : []),
  ];
}

function RowMenu({ organization, onOpen }: { organization: Organization; onOpen: (open: Open) => void }) {
  const { t } = useTranslation();
  const isInUse = organization.line_count > 0;
  return (
    <Menu
      align="end"
      trigger={
        <Button
          look="ghost"
          size="iconSm"
          aria-label={t("organizations.actsOf", { name: organization.name })}
        >
          <MoreHorizontal aria-hidden />
        </Button>
      }
    >
      <MenuItem onSelect={() => onOpen({ kind: "name", organization })}>{t("organizations.rename")}</MenuItem>
      <MenuItem
        disabled={isInUse}
        title={isInUse ? t("organizations.inUse") : undefined}
        onSelect={() => onOpen({ kind: "remove", organization })}
      >
        {t("organizations.remove")}
      </MenuItem>
    </Menu>
  );
}

interface DialogsProps {
  open: Open | null;
  close: () => void;
  onMade: (organization: Organization) => void;
  onRemoved: () => void;
}

function Dialogs({ open, close, onMade, onRemoved }: DialogsProps) {
  const { t } = useTranslation();
  const remove = useMutation({
    mutationFn: ({ id }: Organization) =>
      client.DELETE("/api/v1/organizations/{id}", { params: { path: { id } } }),
    onSuccess: () => {
      toast("ok", t("organizations.removed"));
      onRemoved();
      return readOrganizationsAgain();
    },
    onError: (error) => toast("bad", errorText(error, t)),
  });
  if (open?.kind === "name") {
    const { organization } = open;
    return (
      <NameForm
        organization={organization}
        onClose={close}
        onSaved={(saved) => {
          close();
          if (!organization) onMade(saved);
        }}
      />
    );
  }
  return open ? (
    <Confirm
      open
      onOpenChange={close}
      title={t("organizations.removeAsk", { name: open.organization.name })}
      act={t("organizations.remove")}
      isDangerous
      onConfirm={() => remove.mutate(open.organization)}
    >
      {t("organizations.removeSays")}
    </Confirm>
  ) : null;
}
