import { useNavigate, useSearch } from "@tanstack/react-router";
import { ListChecks, MoreHorizontal, Tags, UserPlus, Users } from "lucide-react";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";

import { Avatar } from "@/components/avatar";
import { Page } from "@/components/page";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { type Column, DataTable } from "@/components/ui/data-table";
import { Menu, MenuItem } from "@/components/ui/menu";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { client, type Schemas } from "@/lib/api/client";
import { PAGE_ROWS, usePages } from "@/lib/api/pages";
import { cn } from "@/lib/cn";
import { phoneText, useFormats } from "@/lib/format";
import { useShortcuts } from "@/lib/keyboard/useShortcuts";
import { useEvent } from "@/lib/live";
import { useMay } from "@/lib/session";
import { fullName } from "@/lib/text";
import type { ContactsSearch } from "@/routes/search";

import { BulkBar } from "./BulkBar";
import { BulkList, BulkStrip, refreshBulks } from "./Bulks";
import { ContactPanel } from "./ContactPanel";
import { isNarrowed, queryOf } from "./filter";
import { Filters } from "./Filters";
import { LabelsDialog } from "./LabelsDialog";
import { refreshContacts, useLabels } from "./labels";
import { useSelection } from "./selection";

type Contact = Schemas["Contact"];

export function ContactsPage() {
  const { t } = useTranslation();
  const navigate = useNavigate({ from: "/contacts" });
  const search = useSearch({ from: "/app/contacts" });
  const may = useMay();
  const [dialog, setDialog] = useState<"labels" | "bulks" | null>(null);
  const query = queryOf(search);
  const about = JSON.stringify(query);
  const pages = usePages(["contacts", about], (cursor, signal) =>
    client.GET("/api/v1/contacts", { params: { query: { cursor, limit: PAGE_ROWS, ...query } }, signal }),
  );
  const show = (changed: ContactsSearch, replace = false) =>
    void navigate({ search: (now) => ({ ...now, ...changed }), replace });
  const nameOf = (contact: Contact) =>
    fullName(contact, contact.phone ?? contact.email ?? t("contacts.unnamed"));
  const choice = useSelection(pages.rows, pages.hasMore, about, nameOf);
  useEvent("job.progress", ({ subject, id, state }) => {
    if (subject !== "bulk") return;
    const isOver = state !== "queued" && state !== "running";
    void refreshBulks(id, isOver);
    if (isOver) void refreshContacts();
  });
  const canMake = may("contacts.create");
  const canChoose = may("contacts.edit") || may("contacts.delete") || may("contacts.export");
  useShortcuts(
    canMake
      ? [{ keys: "n", label: t("nav.newContact"), group: t("nav.contacts"), run: () => show({ new: true }) }]
      : [],
  );
  const columns = useColumns((id) => show({ contact: id }));
  const make = canMake ? (
    <Button look="solid" onClick={() => show({ new: true })}>
      <UserPlus aria-hidden />
      {t("nav.newContact")}
    </Button>
  ) : null;
  return (
    <Page
      title={t("nav.contacts")}
      actions={
        <>
          <More onChoose={setDialog} />
          {make}
        </>
      }
      isFilled
    >
      <Filters search={search} onChange={show} />
      {search.bulk ? (
        <BulkStrip
          id={search.bulk}
          onClose={() => show({ bulk: undefined })}
          onSeeAll={() => setDialog("bulks")}
        />
      ) : null}
      {choice.count === 0 ? null : (
        <BulkBar
          search={search}
          choice={choice}
          onBegun={(bulk) => {
            choice.clear();
            show({ bulk });
          }}
        />
      )}
      {pages.isPending ? (
        <Loading />
      ) : pages.error ? (
        <Failed error={pages.error} retry={pages.refetch} />
      ) : pages.rows.length === 0 ? (
        <Empty
          icon={Users}
          title={t(isNarrowed(search) ? "contacts.noneFound" : "contacts.empty")}
          action={isNarrowed(search) ? null : make}
        >
          {t(isNarrowed(search) ? "contacts.noneFoundNext" : "contacts.emptyNext")}
        </Empty>
      ) : (
        <DataTable
          label={t("nav.contacts")}
          columns={columns}
          rows={pages.rows}
          rowId={({ id }) => id}
          openId={search.contact}
          onOpen={({ id }) => show({ contact: id })}
          hasMore={pages.hasMore}
          isLoadingMore={pages.isLoadingMore}
          loadMore={pages.loadMore}
          {...(canChoose ? { selection: choice.selection } : {})}
        />
      )}
      <ContactPanel
        contactId={search.contact}
        isNew={search.new ?? false}
        onClose={() => show({ contact: undefined, new: undefined })}
        onMade={(id) => show({ contact: id, new: undefined })}
        onShow={(id) => show({ contact: id }, true)}
      />
      {dialog === "labels" ? <LabelsDialog onClose={() => setDialog(null)} /> : null}
      {dialog === "bulks" ? <BulkList onClose={() => setDialog(null)} /> : null}
    </Page>
  );
}

function More({ onChoose }: { onChoose: (dialog: "labels" | "bulks") => void }) {
  const { t } = useTranslation();
  return (
    <Menu
      align="end"
      trigger={
        <Button size="icon" aria-label={t("common.more")}>
          <MoreHorizontal aria-hidden />
        </Button>
      }
    >
      <MenuItem onSelect={() => onChoose("labels")}>
        <Tags aria-hidden />
        {t("contacts.label.manage")}
      </MenuItem>
      <MenuItem onSelect={() => onChoose("bulks")}>
        <ListChecks aria-hidden />
        {t("contacts.bulk.title")}
      </MenuItem>
    </Menu>
  );
}

/** Labels that a row has room for. */
const SHOWN_LABELS = 2;
const SHORT_LABEL = 6;

function useColumns(open: (id: string) => void): Column<Contact>[] {
  const { t } = useTranslation();
  const formats = useFormats();
  const { byId: labels } = useLabels();
  return useMemo(
    () => [
      {
        id: "name",
        header: t("contacts.name"),
        className: "w-[44%] md:w-[28%]",
        cell: (contact) => {
          const name = fullName(contact, t("contacts.unnamed"));
          return (
            <button
              type="button"
              className="flex max-w-full items-center gap-2.5 rounded-sm text-left font-medium hover:underline"
              onClick={(event) => (event.stopPropagation(), open(contact.id))}
            >
              <Avatar name={name} className="size-6 text-2xs" />
              <span className="truncate">{name}</span>
            </button>
          );
        },
      },
      {
        id: "phone",
        header: t("contacts.fields.phone"),
        className: "figures",
        cell: ({ phone }) => (phone ? phoneText(phone) : <span className="text-faint">–</span>),
      },
      {
        id: "email",
        header: t("contacts.fields.email"),
        className: "hidden md:table-cell",
        cell: ({ email }) => email ?? <span className="text-faint">–</span>,
      },
      {
        id: "labels",
        header: t("contacts.labels"),
        className: "hidden md:table-cell",
        cell: ({ label_ids }) => {
          const names = label_ids.flatMap((id) => labels.get(id)?.name ?? []);
          const rest = names.slice(SHOWN_LABELS);
          return (
            <span className="flex gap-1" title={names.join(", ")}>
              {names.slice(0, SHOWN_LABELS).map((name) => (
                <Badge
                  key={name}
                  tone="accent"
                  className={cn(
                    "block truncate leading-5",
                    // a short one would be cut to a letter
                    name.length <= SHORT_LABEL ? "shrink-0" : names.length > 1 && "max-w-28",
                  )}
                >
                  {name}
                </Badge>
              ))}
              {rest.length > 0 ? <Badge>+{formats.number(rest.length)}</Badge> : null}
            </span>
          );
        },
      },
      {
        id: "city",
        header: t("contacts.fields.city"),
        className: "hidden text-muted lg:table-cell",
        cell: ({ city, state }) => [city, state].filter(Boolean).join(", "),
      },
      {
        id: "since",
        header: t("contacts.since"),
        className: "hidden w-32 text-right text-muted lg:table-cell",
        cell: ({ created_at }) => (
          <time title={formats.dateTime(created_at)}>{formats.relative(created_at)}</time>
        ),
      },
    ],
    // `open` closes over the router alone, which stays the same
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [t, formats, labels],
  );
}
