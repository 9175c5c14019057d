import { useMutation } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Download } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Page } from "@/components/page";
import { Button } from "@/components/ui/button";
import { type Column, DataTable } from "@/components/ui/data-table";
import { Select } from "@/components/ui/input";
import { Failed, Loading } from "@/components/ui/states";
import { useActorName } from "@/lib/actors";
import { client, type Schemas } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { PAGE_ROWS, usePages } from "@/lib/api/pages";
import { useFormats } from "@/lib/format";

type Change = Schemas["AuditChange"];

const AUDIT_SUBJECTS = [
  "user",
  "role",
  "team",
  "team_member",
  "session",
  "log_in",
  "api_key",
  "invitation",
  "identity_provider",
  "identity",
  "line",
  "campaign",
  "contact",
  "import",
  "bulk_change",
  "suppression",
  "organization",
  "setting",
  "privacy_request",
  "tenant",
  "webhook",
] as const;

/** Who changed what about people, keys, lines and the account. */
export function AuditPage() {
  const { t } = useTranslation();
  const search = useSearch({ from: "/app/settings/audit" });
  const subject = AUDIT_SUBJECTS.find((one) => one === search.subject);
  const navigate = useNavigate({ from: "/settings/audit" });
  const pages = usePages(["audit", subject ?? ""], (cursor, signal) =>
    client.GET("/api/v1/audit/changes", {
      params: { query: { cursor, limit: PAGE_ROWS, ...(subject ? { subject } : {}) } },
      signal,
    }),
  );
  const columns = useColumns();
  return (
    <Page
      title={t("audit.title")}
      isFilled
      actions={
        <>
          <Select
            aria-label={t("audit.subject")}
            value={subject ?? ""}
            className="w-auto"
            onChange={({ target }) =>
              void navigate({ search: target.value ? { subject: target.value } : {} })
            }
          >
            <option value="">{t("audit.all")}</option>
            {AUDIT_SUBJECTS.map((one) => (
              <option key={one} value={one}>
                {t(`audit.subjects.${one}`)}
              </option>
            ))}
          </Select>
          <Button asChild>
            <a href={`/api/v1/audit/changes-file${subject ? `?subject=${subject}` : ""}`} download>
              <Download aria-hidden />
              {t("audit.export")}
            </a>
          </Button>
        </>
      }
    >
      {pages.isPending ? (
        <Loading />
      ) : pages.error ? (
        <Failed error={pages.error} retry={pages.refetch} />
      ) : (
        <div className="flex h-full min-h-0 flex-col">
          <Chain />
          <DataTable
            label={t("audit.title")}
            columns={columns}
            rows={pages.rows}
            rowId={({ seq }) => String(seq)}
            hasMore={pages.hasMore}
            isLoadingMore={pages.isLoadingMore}
            loadMore={pages.loadMore}
          />
        </div>
      )}
    </Page>
  );
}

/** Whether nobody has changed or removed anything since. */
function Chain() {
  const { t } = useTranslation();
  const formats = useFormats();
  // all rows are gone through, so it is done when somebody asks
  const look = useMutation({
    mutationFn: async () => {
      const { data } = await client.GET("/api/v1/audit/verification");
      if (!data) throw ApiError.unreachable();
      return data;
    },
  });
  const { data, error } = look;
  return (
    <div className="flex flex-wrap items-center gap-3 px-6 py-2">
      <Button size="sm" onClick={() => look.mutate()} disabled={look.isPending}>
        {t("audit.verify")}
      </Button>
      <p role="status" className={`text-sm ${error || data?.broken_at ? "text-bad" : "text-muted"}`}>
        {error
          ? errorText(error, t)
          : !data
            ? null
            : data.broken_at
              ? t("audit.broken", { seq: formats.number(data.broken_at) })
              : t("audit.whole", { count: data.count, rows: formats.number(data.count) })}
      </p>
    </div>
  );
}

function useColumns(): Column<Change>[] {
  const { t } = useTranslation();
  const formats = useFormats();
  const actorName = useActorName();
  const who = (actor: string) =>
    /^(operator(:|$)|platform$)/.test(actor) ? t("audit.platform") : actorName(actor);
  const by = ({ actor, impersonator }: Change) =>
    impersonator ? t("audit.inPlace", { name: who(actor) }) : who(actor);
  return [
    {
      id: "at",
      header: t("audit.at"),
      className: "w-36 text-muted",
      cell: ({ at }) => <time title={formats.dateTime(at)}>{formats.relative(at)}</time>,
    },
    {
      id: "actor",
      header: t("audit.actor"),
      className: "hidden w-44 sm:table-cell",
      cell: (change) => by(change),
    },
    {
      id: "what",
      header: t("audit.what"),
      cell: (change) => (
        <What
          change={change}
          by={by(change)}
          // people are known by their names, settings by their keys; of other things only what changed is told
          whom={
            /^(user|log_in)$/.test(change.subject)
              ? actorName(`user:${change.subject_id}`)
              : change.subject === "setting"
                ? (change.subject_id.split("/").at(-1) ?? null)
                : null
          }
          details={detailsOf(change, (id) => actorName(`user:${id}`))}
        />
      ),
    },
  ];
}

interface WhatProps {
  change: Change;
  by: string;
  whom: string | null;
  details: string;
}

/** The act, the thing, and what of it changed. */
function What({ change, by, whom, details }: WhatProps) {
  const { t } = useTranslation();
  const subject = AUDIT_SUBJECTS.find((one) => one === change.subject);
  return (
    <div className="min-w-0 whitespace-normal">
      <p className="font-medium">
        {t(`audit.actions.${change.action as "create"}`, {
          subject: subject ? t(`audit.subjects.${subject}`) : change.subject,
        })}
        {whom ? <span className="font-normal"> · {whom}</span> : null}
        <span className="font-normal text-muted sm:hidden"> · {by}</span>
      </p>
      <p className="text-sm text-muted [overflow-wrap:anywhere]">{details}</p>
    </div>
  );
}

const shown = (value: unknown): string =>
  value === null || value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value);

/** What is kept from here, a secret or what somebody has said of themselves, is named alone. */
const HIDDEN = "***";

const changed = (was: unknown, is: unknown): string =>
  [was, is].includes(HIDDEN) ? "" : `: ${shown(was)} → ${shown(is)}`;

/** `name: before → after`, a part for each that changed; the names are those of the API. Whoever it names is named. */
export function detailsOf({ action, before, after }: Change, nameOf: (userId: string) => string): string {
  const [was, is] = [(before ?? {}) as Record<string, unknown>, (after ?? {}) as Record<string, unknown>];
  if (action === "change") {
    const names = [...new Set([...Object.keys(was), ...Object.keys(is)])].sort();
    return names.map((name) => `${name}${changed(was[name], is[name])}`).join(" · ");
  }
  const row = action === "delete" ? was : is;
  const told = [
    "name",
    "issuer",
    "email",
    "address",
    "origin",
    "kinds",
    "role",
    "user_id",
    "by",
    "impersonator_name",
    "impersonation_reason",
    "ip",
    "user_agent",
    "is_new_device",
    "file_name",
    "act",
    "reason",
    "source",
    "value",
    "secret",
  ];
  return told
    .filter((name) => (row[name] ?? false) !== false && row[name] !== HIDDEN)
    .map((name) => (name === "user_id" ? nameOf(shown(row[name])) : `${name}: ${shown(row[name])}`))
    .join(" · ");
}
