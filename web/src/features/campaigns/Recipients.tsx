import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Download, X } from "lucide-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Badge } from "@/components/ui/badge";
import { type Column, DataTable } from "@/components/ui/data-table";
import { Select } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { Failed, Loading } from "@/components/ui/states";
import { client, type Schemas } from "@/lib/api/client";
import { PAGE_ROWS, usePages } from "@/lib/api/pages";
import { phoneText, useFormats } from "@/lib/format";
import type { CampaignSearch } from "@/routes/search";

import { isRecipientState, RECIPIENT_STATES, RECIPIENT_TONES, RECIPIENTS, useReason } from "./state";

type Recipient = Schemas["Recipient"];

/** Everybody behind the numbers, narrowed to a state by the address of the page. */
export function Recipients({ campaignId }: { campaignId: string }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const reason = useReason();
  const { state, reason: cause } = useSearch({ from: "/app/campaigns/$campaignId" });
  const wanted = isRecipientState(state) ? state : undefined;
  const pages = usePages(["recipients", campaignId, wanted ?? "", cause ?? ""], (cursor, signal) =>
    client.GET("/api/v1/campaigns/{id}/recipients", {
      params: { path: { id: campaignId }, query: { cursor, limit: PAGE_ROWS, state: wanted, reason: cause } },
      signal,
    }),
  );
  const columns = useColumns();
  const show = (search: CampaignSearch) =>
    void navigate({
      to: "/campaigns/$campaignId",
      params: { campaignId },
      search,
      replace: true,
      resetScroll: false,
    });
  const report = new URLSearchParams({
    ...(wanted ? { state: wanted } : {}),
    ...(cause ? { reason: cause } : {}),
  }).toString();
  const aside = (
    <div className="flex flex-wrap items-center gap-2">
      {cause ? (
        <Button
          size="sm"
          className="max-w-full"
          aria-label={t("campaigns.removeReason", { reason: reason(cause) })}
          onClick={() => show({ state })}
        >
          <span className="truncate">{reason(cause)}</span>
          <X aria-hidden />
        </Button>
      ) : null}
      <Select
        aria-label={t("campaigns.recipientState")}
        className="w-44"
        value={wanted ?? ""}
        onChange={({ target }) => show(target.value ? { state: target.value } : {})}
      >
        <option value="">{t("campaigns.allStates")}</option>
        {RECIPIENT_STATES.map((name) => (
          <option key={name} value={name}>
            {t(`campaigns.recipientStates.${name}`)}
          </option>
        ))}
      </Select>
      <Button asChild>
        <a href={`/api/v1/campaigns/${campaignId}/report-file${report && `?${report}`}`} download>
          <Download aria-hidden />
          {t("campaigns.report")}
        </a>
      </Button>
    </div>
  );
  return (
    <Panel id={RECIPIENTS} title={t("campaigns.recipients")} aside={aside} isFlush>
      {pages.isPending ? (
        <Loading />
      ) : pages.error ? (
        <Failed error={pages.error} retry={pages.refetch} />
      ) : pages.rows.length === 0 ? (
        <p className="px-4 py-8 text-center text-sm text-muted">{t("campaigns.nobodyThere")}</p>
      ) : (
        <DataTable
          label={t("campaigns.recipients")}
          className="h-96"
          columns={columns}
          rows={pages.rows}
          rowId={({ id }) => id}
          hasMore={pages.hasMore}
          isLoadingMore={pages.isLoadingMore}
          loadMore={pages.loadMore}
        />
      )}
    </Panel>
  );
}

function useColumns(): Column<Recipient>[] {
  const { t } = useTranslation();
  const formats = useFormats();
  const reason = useReason();
  return useMemo(
    () => [
      {
        id: "address",
        header: t("campaigns.recipient"),
        className: "w-[45%] md:w-[30%] figures",
        cell: ({ address, name, contact_id }) => {
          const phone = address ? phoneText(address) : t("campaigns.withoutAddress");
          const who = name ? (
            <>
              {name} <span className="text-muted">{phone}</span>
            </>
          ) : (
            phone
          );
          if (!contact_id) return who;
          return (
            <Link to="/contacts" search={{ contact: contact_id }} className="hover:underline">
              {who}
            </Link>
          );
        },
      },
      {
        id: "state",
        header: t("campaigns.state"),
        className: "w-32",
        cell: ({ state }) =>
          isRecipientState(state) ? (
            <Badge tone={RECIPIENT_TONES[state]}>{t(`campaigns.recipientStates.${state}`)}</Badge>
          ) : (
            state
          ),
      },
      {
        id: "reason",
        header: t("campaigns.reason"),
        className: "hidden text-muted md:table-cell",
        cell: ({ reason: code, waits_until: until }) =>
          code && until
            ? t("campaigns.waitsUntil", { reason: reason(code), when: formats.dateTime(until) })
            : code
              ? reason(code)
              : "",
      },
      {
        id: "sent",
        header: t("campaigns.sentAt"),
        className: "hidden w-48 text-right text-muted figures md:table-cell",
        cell: ({ sent_at }) => (sent_at ? formats.dateTime(sent_at) : "–"),
      },
    ],
    [t, formats, reason],
  );
}
