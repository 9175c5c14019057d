import { Link, useNavigate } from "@tanstack/react-router";
import { Megaphone, Plus } from "lucide-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";

import { Page } from "@/components/page";
import { Button } from "@/components/ui/button";
import { type Column, DataTable } from "@/components/ui/data-table";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { client } from "@/lib/api/client";
import { PAGE_ROWS, PAGES, usePages } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { useFormats } from "@/lib/format";
import { useShortcuts } from "@/lib/keyboard/useShortcuts";
import { useEvent } from "@/lib/live";
import { useMay } from "@/lib/session";

import { type Campaign, CampaignState } from "./state";

export function CampaignsPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const may = useMay();
  const pages = usePages(["campaigns"], (cursor, signal) =>
    client.GET("/api/v1/campaigns", { params: { query: { cursor, limit: PAGE_ROWS } }, signal }),
  );
  useEvent("campaign.progress", ({ campaign_id, state }) => {
    // numbers are not in the list: it is old only where a state has changed
    if (pages.rows.find(({ id }) => id === campaign_id)?.state === state) return;
    void queryClient.invalidateQueries({ queryKey: [PAGES, "campaigns"] }, { cancelRefetch: false });
  });
  const canMake = may("campaigns.create");
  useShortcuts(
    canMake
      ? [
          {
            keys: "n",
            label: t("nav.newCampaign"),
            group: t("nav.campaigns"),
            run: () => void navigate({ to: "/campaigns/new" }),
          },
        ]
      : [],
  );
  const columns = useColumns();
  const make = canMake ? (
    <Button asChild look="solid">
      <Link to="/campaigns/new">
        <Plus aria-hidden />
        {t("nav.newCampaign")}
      </Link>
    </Button>
  ) : null;
  return (
    <Page title={t("nav.campaigns")} actions={make} isFilled>
      {pages.isPending ? (
        <Loading />
      ) : pages.error ? (
        <Failed error={pages.error} retry={pages.refetch} />
      ) : pages.rows.length === 0 ? (
        <Empty icon={Megaphone} title={t("campaigns.empty")} action={make}>
          {t("campaigns.emptyNext")}
        </Empty>
      ) : (
        <DataTable
          label={t("nav.campaigns")}
          columns={columns}
          rows={pages.rows}
          rowId={({ id }) => id}
          onOpen={({ id }) => void navigate({ to: "/campaigns/$campaignId", params: { campaignId: id } })}
          hasMore={pages.hasMore}
          isLoadingMore={pages.isLoadingMore}
          loadMore={pages.loadMore}
        />
      )}
    </Page>
  );
}

function useColumns(): Column<Campaign>[] {
  const { t } = useTranslation();
  const formats = useFormats();
  return useMemo(
    () => [
      {
        id: "name",
        header: t("campaigns.name"),
        className: "w-[60%] md:w-[28%]",
        cell: ({ id, name }) => (
          <Link
            to="/campaigns/$campaignId"
            params={{ campaignId: id }}
            className="font-medium hover:underline"
          >
            {name}
          </Link>
        ),
      },
      {
        id: "state",
        header: t("campaigns.state"),
        className: "w-32",
        cell: ({ state }) => <CampaignState state={state} />,
      },
      {
        id: "body",
        header: t("campaigns.text"),
        className: "hidden text-muted md:table-cell",
        cell: ({ body }) => body,
      },
      {
        id: "launched",
        header: t("campaigns.launched"),
        className: "hidden w-40 text-right text-muted md:table-cell",
        cell: ({ launched_at }) =>
          launched_at ? (
            <time title={formats.dateTime(launched_at)}>{formats.relative(launched_at)}</time>
          ) : (
            "–"
          ),
      },
    ],
    [t, formats],
  );
}
