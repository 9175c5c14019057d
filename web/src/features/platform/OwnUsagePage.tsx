import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Page } from "@/components/page";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { client, type Schemas } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { PAGE_ROWS, PAGES, usePages } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { useFormats } from "@/lib/format";
import { useMay } from "@/lib/session";

import { MonthOf } from "./Month";
import { Days, Totals } from "./Usage";

/** What the account uses beside what its plan allows, and who of the platform was inside. */
export function OwnUsagePage() {
  const { t } = useTranslation();
  const may = useMay();
  const [month, setMonth] = useState<string | undefined>();
  const usage = useQuery({
    queryKey: ["usage", month ?? ""],
    queryFn: async () =>
      (await client.GET("/api/v1/usage", { params: { query: month ? { month } : {} } })).data,
  });
  return (
    <Page
      title={t("usage.title")}
      actions={usage.data ? <MonthOf month={usage.data.month.slice(0, 7)} onChange={setMonth} /> : null}
    >
      <div className="flex flex-col gap-4">
        {usage.data ? (
          <>
            <Panel title={t("usage.plan", { plan: usage.data.plan.name })}>
              <div className="flex flex-col gap-4">
                <Totals of={usage.data.total} limits={usage.data.plan.limits} />
              </div>
            </Panel>
            <Panel title={t("usage.byDay")}>
              <Days days={usage.data.days} />
            </Panel>
          </>
        ) : usage.isPending ? (
          <Loading />
        ) : (
          <Failed error={usage.error} retry={() => void usage.refetch()} />
        )}
        {may("admin.audit_view") ? <Visits /> : null}
      </div>
    </Page>
  );
}

const isOpen = ({ ended_at, expires_at }: Schemas["Impersonation"]) =>
  !ended_at && new Date(expires_at) > new Date();

/** Operators of the platform who were inside this account, each of whom can be shown out. */
function Visits() {
  const { t } = useTranslation();
  const formats = useFormats();
  const may = useMay();
  const visits = usePages(["impersonations"], (cursor, signal) =>
    client.GET("/api/v1/impersonations", { params: { query: { cursor, limit: PAGE_ROWS } }, signal }),
  );
  const end = useMutation({
    mutationFn: (id: string) => client.DELETE("/api/v1/impersonations/{id}", { params: { path: { id } } }),
    onSuccess: () => {
      toast("ok", t("usage.visits.ended"));
      return queryClient.invalidateQueries({ queryKey: [PAGES, "impersonations"] });
    },
    onError: (error) => toast("bad", errorText(error, t)),
  });
  return (
    <Panel title={t("usage.visits.title")}>
      {visits.isPending ? (
        <Loading />
      ) : visits.error ? (
        <Failed error={visits.error} retry={visits.refetch} />
      ) : visits.rows.length === 0 ? (
        <p className="text-sm text-muted">{t("usage.visits.empty")}</p>
      ) : (
        <ul className="flex flex-col divide-y divide-line text-sm">
          {visits.rows.map((visit) => (
            <li key={visit.id} className="flex flex-wrap items-center gap-3 py-2">
              <div className="min-w-0 flex-1">
                <p className="font-medium">
                  {t("usage.visits.as", { operator: visit.operator_name, user: visit.user_name })}
                </p>
                <p className="text-muted [overflow-wrap:anywhere]">
                  {formats.dateTime(visit.created_at)} · {visit.reason}
                </p>
              </div>
              {isOpen(visit) ? <Badge tone="warn">{t("usage.visits.open")}</Badge> : null}
              {isOpen(visit) && may("admin.users_manage") ? (
                <Button size="sm" look="danger" disabled={end.isPending} onClick={() => end.mutate(visit.id)}>
                  {t("usage.visits.end")}
                </Button>
              ) : null}
            </li>
          ))}
        </ul>
      )}
      {visits.hasMore ? (
        <Button className="mt-3" disabled={visits.isLoadingMore} onClick={visits.loadMore}>
          {t("common.more")}
        </Button>
      ) : null}
    </Panel>
  );
}
