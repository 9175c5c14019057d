import { Link, useParams } from "@tanstack/react-router";
import { Download, Megaphone, Users } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Page } from "@/components/page";
import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/notice";
import { Panel } from "@/components/ui/panel";
import { Progress } from "@/components/ui/progress";
import { Failed, Loading } from "@/components/ui/states";
import { useActorName } from "@/lib/actors";
import { api } from "@/lib/api/client";
import { queryClient } from "@/lib/api/query";
import { useFormats } from "@/lib/format";
import { useEvent } from "@/lib/live";
import { useMay } from "@/lib/session";

import { ImportErrors } from "./ImportErrors";
import { useFieldName } from "./fields";
import { Figures } from "./Figures";
import { Back } from "./NewImportPage";
import { type Import, ImportState, useReadAs } from "./state";

/** How an import goes, and what came of it. */
export function ImportPage() {
  const { t } = useTranslation();
  const { importId } = useParams({ from: "/app/imports/$importId" });
  const init = { params: { path: { id: importId } } };
  const query = api.useQuery("get", "/api/v1/imports/{id}", init);
  useEvent("job.progress", ({ id, state }) => {
    if (id !== importId) return;
    const { queryKey } = api.queryOptions("get", "/api/v1/imports/{id}", init);
    // an answer on its way may know nothing of the end
    void queryClient.invalidateQueries({ queryKey }, { cancelRefetch: state !== "running" });
  });
  const { data } = query;
  return (
    <Page
      title={data?.file_name ?? t("nav.imports")}
      back={<Back />}
      aside={data ? <ImportState state={data.state} /> : null}
      actions={data ? <Actions of={data} /> : null}
    >
      {data ? (
        <Details of={data} />
      ) : query.error ? (
        <Failed error={query.error} retry={() => void query.refetch()} />
      ) : (
        <Loading />
      )}
    </Page>
  );
}

function Actions({ of: { id, state, created_count, updated_count } }: { of: Import }) {
  const { t } = useTranslation();
  const may = useMay();
  if (state !== "completed" || created_count + updated_count === 0) return null;
  return (
    <>
      <Button asChild>
        <Link to="/contacts" search={{ import: id }}>
          <Users aria-hidden />
          {t("imports.seeContacts")}
        </Link>
      </Button>
      {may("campaigns.create") ? (
        <Button asChild look="solid">
          <Link to="/campaigns/new" search={{ import: id }}>
            <Megaphone aria-hidden />
            {t("imports.writeToThem")}
          </Link>
        </Button>
      ) : null}
    </>
  );
}

function Details({ of }: { of: Import }) {
  const { t, i18n } = useTranslation();
  const formats = useFormats();
  const nameOf = useActorName();
  const readAs = useReadAs();
  const refused = of.invalid_count + of.empty_count + of.duplicate_count;
  const file = (warnings: boolean) => {
    const query = new URLSearchParams({ warnings: String(warnings), language: i18n.language });
    return `/api/v1/imports/${of.id}/error-file?${query.toString()}`;
  };
  return (
    <div className="flex flex-col gap-4">
      <Waiting of={of} />
      <Panel>
        <Bar of={of} />
        <div className="mt-5">
          <Figures of={of} />
        </div>
        <p className="mt-5 border-t border-line pt-3 text-sm text-muted">
          {t("imports.made", {
            when: formats.dateTime(of.created_at),
            size: formats.bytes(of.byte_count),
            who: nameOf(of.created_by),
          })}
          {of.encoding ? ` ${readAs(of)}` : ""}
        </p>
      </Panel>
      <Columns of={of} />
      {refused + of.warning_count > 0 ? (
        <Panel
          isFlush
          title={t("imports.errors")}
          aside={
            <div className="flex flex-wrap gap-2">
              {refused > 0 ? <FileLink href={file(false)} text={t("imports.errorFile")} /> : null}
              {of.warning_count > 0 ? <FileLink href={file(true)} text={t("imports.warningFile")} /> : null}
            </div>
          }
        >
          <ImportErrors importId={of.id} version={`${of.state} ${of.done}`} />
        </Panel>
      ) : null}
    </div>
  );
}

function Waiting({ of: { state, waiting_since, failure_code, failure_detail } }: { of: Import }) {
  const { t } = useTranslation();
  const formats = useFormats();
  if (state === "failed") {
    const texts = t("problems", { returnObjects: true }) as Record<string, string>;
    const known =
      failure_code && texts[failure_code]
        ? t(`problems.${failure_code}` as "problems.unexpected", { detail: failure_detail ?? "" })
        : failure_detail;
    return (
      <Notice tone="bad" isAlert>
        {t("imports.stopped")} {known}
      </Notice>
    );
  }
  if (state !== "queued" || !waiting_since) return null;
  return <Notice tone="warn">{t("imports.waiting", { time: formats.time(waiting_since) })}</Notice>;
}

function Bar({ of }: { of: Import }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const total = Math.max(of.total ?? of.row_count, of.done);
  const isDone = of.state === "completed";
  return (
    <div>
      <div className="mb-2 flex items-baseline justify-between gap-4 text-sm">
        <span role="status" className="figures">
          {isDone
            ? t("imports.doneRows", { count: of.done, rows: formats.number(of.done) })
            : t("imports.doneOf", { done: formats.number(of.done), total: formats.number(total) })}
        </span>
        {total > 0 ? <span className="text-muted figures">{formats.percent(of.done / total)}</span> : null}
      </div>
      <Progress
        label={t("imports.progress")}
        parts={[{ className: isDone ? "bg-ok" : "bg-accent-hover", value: of.done }]}
        total={total}
      />
    </div>
  );
}

function Columns({ of: { header, mapping } }: { of: Import }) {
  const { t } = useTranslation();
  const name = useFieldName();
  if (header.length === 0) return null;
  return (
    <Panel title={t("imports.columns")}>
      <ul className="flex flex-wrap gap-x-6 gap-y-2 text-sm">
        {header.map((column) => (
          <li key={column}>
            <span className="text-muted">{column}</span> → {name(mapping[column])}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function FileLink({ href, text }: { href: string; text: string }) {
  return (
    <Button asChild size="sm">
      <a href={href} download>
        <Download aria-hidden />
        {text}
      </a>
    </Button>
  );
}
