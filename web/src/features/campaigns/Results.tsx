import { useTranslation } from "react-i18next";

import { Notice } from "@/components/ui/notice";
import { Panel } from "@/components/ui/panel";
import { Failed, Loading } from "@/components/ui/states";
import { api } from "@/lib/api/client";
import { useFormats } from "@/lib/format";
import { useMay } from "@/lib/session";

import { AudienceTable } from "./AudienceTable";
import { Causes } from "./Causes";
import { Funnel } from "./Funnel";
import { Going } from "./Going";
import { PausedChange } from "./PausedChange";
import { RateChart } from "./RateChart";
import { Recipients } from "./Recipients";
import type { Campaign } from "./state";

/** How a launched campaign goes; the numbers are the server's at every look. */
export function Results({ campaign }: { campaign: Campaign }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const may = useMay();
  const mayCount = may("campaigns.view_analytics");
  const { data, error, refetch } = api.useQuery(
    "get",
    "/api/v1/campaigns/{id}/progress",
    { params: { path: { id: campaign.id } } },
    { enabled: mayCount },
  );
  if (!mayCount) return <Notice tone="info">{t("campaigns.mayNotCount")}</Notice>;
  // numbers that could not be read anew stay, and so does what is written beside them
  if (!data) return error ? <Failed error={error} retry={() => void refetch()} /> : <Loading />;
  return (
    <div className="flex flex-col gap-4">
      {data.waits_for_line ? <Notice tone="warn">{t("campaigns.waitsForLine")}</Notice> : null}
      {campaign.state === "active"
        ? data.waiting.map(({ reason, count, next_at }) => (
            <Notice key={reason} tone="info">
              {t(reason === "quiet_hours" ? "campaigns.waitForQuietHours" : "campaigns.waitForWindow", {
                count,
                people: formats.number(count),
                when: formats.dateTime(next_at),
              })}
            </Notice>
          ))
        : null}
      {!data.is_frozen && campaign.state === "active" ? (
        <Notice tone="info">{t("campaigns.freezing")}</Notice>
      ) : null}
      <Going campaign={campaign} numbers={data} />
      {campaign.state === "paused" && may("campaigns.edit") ? (
        <PausedChange campaign={campaign} key={campaign.id} />
      ) : null}
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <Funnel campaignId={campaign.id} />
        <RateChart campaign={campaign} />
      </div>
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <Panel title={t("campaigns.audience")}>
          <AudienceTable
            selected={data.selected}
            eligible={data.eligible}
            skipped={data.skipped}
            campaignId={campaign.id}
          />
        </Panel>
        <Panel title={t("campaigns.message")}>
          <p className="text-base whitespace-pre-wrap [overflow-wrap:anywhere]">{campaign.body}</p>
        </Panel>
      </div>
      {data.causes.length > 0 ? <Causes campaignId={campaign.id} causes={data.causes} /> : null}
      <Recipients campaignId={campaign.id} />
    </div>
  );
}
