import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { ArrowLeft, RefreshCw, Webhook as Hook } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Page } from "@/components/page";
import { Badge, type Tone } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { type Column, DataTable } from "@/components/ui/data-table";
import { Select } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { PAGE_ROWS, usePages } from "@/lib/api/pages";
import { useFormats } from "@/lib/format";
import { useEvent } from "@/lib/live";

import { DeliveryShown } from "./DeliveryShown";
import { ReplayMany } from "./ReplayMany";
import {
  type Delivery,
  hostOf,
  readAgain,
  readDeliveriesAgain,
  stateOf,
  useKindName,
  webhookQuery,
} from "./wire";

const STATES: readonly Delivery["state"][] = ["pending", "delivered", "failed"];
const TONES: Record<Delivery["state"], Tone> = { pending: "info", delivered: "ok", failed: "bad" };

/** What one webhook was told in the last thirty days, and telling it once more. */
export function DeliveriesPage({ id }: { id: string }) {
  const { t } = useTranslation();
  const search = useSearch({ from: "/app/settings/webhooks" });
  const state = STATES.find((name) => name === search.state);
  const navigate = useNavigate({ from: "/settings/webhooks" });
  const [shown, setShown] = useState<Delivery | null>(null);
  const [isReplaying, setReplaying] = useState(false);
  const { data: webhook, error } = useQuery(webhookQuery(id));
  const pages = usePages(["deliveries", id, state ?? ""], (cursor, signal) =>
    client.GET("/api/v1/webhooks/{id}/deliveries", {
      params: { path: { id }, query: { cursor, limit: PAGE_ROWS, ...(state ? { state } : {}) } },
      signal,
    }),
  );
  useEvent("webhook.disabled", () => void readAgain());
  const again = () => void Promise.all([readAgain(), readDeliveriesAgain()]);
  const ping = useMutation({
    mutationFn: () => client.POST("/api/v1/webhooks/{id}/ping", { params: { path: { id } } }),
    onSuccess: () => {
      toast("ok", t("webhooks.pinged"));
      return readDeliveriesAgain();
    },
    onError: (failure) => toast("bad", errorText(failure, t)),
  });
  const columns = useColumns();
  const back = (
    <Link to="/settings/webhooks" aria-label={t("webhooks.back")} className="text-muted hover:text-ink">
      <ArrowLeft aria-hidden className="size-4" />
    </Link>
  );
  const failure = error ?? pages.error;
  return (
    <Page
      title={webhook ? hostOf(webhook.url) : t("webhooks.title")}
      back={back}
      isFilled
      aside={
        webhook ? (
          <Badge tone={stateOf(webhook).tone}>{t(`webhooks.states.${stateOf(webhook).name}`)}</Badge>
        ) : undefined
      }
      actions={
        <>
          <Select
            aria-label={t("webhooks.show")}
            value={state ?? ""}
            className="w-auto"
            onChange={({ target }) =>
              void navigate({ search: { webhook: id, ...(target.value ? { state: target.value } : {}) } })
            }
          >
            <option value="">{t("webhooks.all")}</option>
            {STATES.map((name) => (
              <option key={name} value={name}>
                {t(`webhooks.delivery.${name}`)}
              </option>
            ))}
          </Select>
          <Button onClick={again}>
            <RefreshCw aria-hidden />
            {t("webhooks.refresh")}
          </Button>
          <Button onClick={() => ping.mutate()} disabled={ping.isPending}>
            {t("webhooks.ping")}
          </Button>
          <Button onClick={() => setReplaying(true)}>{t("webhooks.replayMany")}</Button>
        </>
      }
    >
      {failure ? (
        <Failed error={failure} retry={again} />
      ) : pages.isPending || !webhook ? (
        <Loading />
      ) : (
        <>
          {webhook.failing_since ? <Failing since={webhook.failing_since} /> : null}
          {pages.rows.length === 0 ? (
            <Empty icon={Hook} title={t("webhooks.noDeliveries")}>
              {t("webhooks.noDeliveriesNext")}
            </Empty>
          ) : (
            <DataTable
              label={t("webhooks.deliveries")}
              columns={columns}
              rows={pages.rows}
              rowId={(row) => row.id}
              onOpen={setShown}
              hasMore={pages.hasMore}
              isLoadingMore={pages.isLoadingMore}
              loadMore={pages.loadMore}
            />
          )}
        </>
      )}
      {shown ? <DeliveryShown delivery={shown} onClose={() => setShown(null)} /> : null}
      {isReplaying ? <ReplayMany id={id} onClose={() => setReplaying(false)} /> : null}
    </Page>
  );
}

function Failing({ since }: { since: string }) {
  const { t } = useTranslation();
  const formats = useFormats();
  return (
    <div className="px-4 py-3 md:px-6">
      <Notice tone="warn">{t("webhooks.failingSince", { when: formats.dateTime(since) })}</Notice>
    </div>
  );
}

function useColumns(): Column<Delivery>[] {
  const { t } = useTranslation();
  const formats = useFormats();
  const kindName = useKindName();
  return [
    {
      id: "kind",
      header: t("webhooks.event"),
      cell: ({ kind }) => <span title={kind}>{kindName(kind)}</span>,
    },
    {
      id: "state",
      header: t("webhooks.state"),
      className: "w-32",
      cell: ({ state }) => <Badge tone={TONES[state]}>{t(`webhooks.delivery.${state}`)}</Badge>,
    },
    {
      id: "status",
      header: t("webhooks.answer"),
      className: "hidden w-24 text-muted sm:table-cell",
      cell: ({ status }) => status ?? "–",
    },
    {
      id: "attempts",
      header: t("webhooks.attempts"),
      className: "hidden w-24 text-muted sm:table-cell",
      cell: ({ attempt_count: count }) => formats.number(count),
    },
    {
      id: "at",
      header: t("webhooks.when"),
      className: "w-36 text-muted",
      cell: ({ created_at: at }) => <time title={formats.dateTime(at)}>{formats.relative(at)}</time>,
    },
  ];
}
