import { useTranslation } from "react-i18next";

import { Panel } from "@/components/ui/panel";
import { Progress } from "@/components/ui/progress";
import type { Schemas } from "@/lib/api/client";
import { useFormats } from "@/lib/format";

import type { Campaign } from "./state";

interface GoingProps {
  campaign: Campaign;
  numbers: Schemas["Progress"];
}

/** How far it is, and when it will be done. */
export function Going({ campaign, numbers }: GoingProps) {
  const { t } = useTranslation();
  const formats = useFormats();
  const of = (...states: string[]) => states.reduce((sum, state) => sum + (numbers.counts[state] ?? 0), 0);
  const { eligible } = numbers;
  const others = [
    { name: t("campaigns.funnel.pending"), count: of("pending", "sending") },
    { name: t("campaigns.funnel.unknown"), count: of("unknown", "held"), className: "text-warn" },
    { name: t("campaigns.funnel.cancelled"), count: of("cancelled") },
  ];
  return (
    <Panel>
      <div className="mb-2 flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1 text-sm">
        <span role="status" className="figures">
          {t("campaigns.sentOf", {
            sent: formats.number(eligible - of("pending", "sending")),
            total: formats.number(eligible),
          })}
        </span>
        <Finish campaign={campaign} finishAt={numbers.finish_at ?? null} />
      </div>
      <Progress
        label={t("campaigns.progress")}
        total={eligible}
        parts={[
          { className: "bg-ok", value: of("delivered", "read") },
          { className: "bg-info", value: of("sent") },
          { className: "bg-warn", value: of("unknown", "held") },
          { className: "bg-bad-solid", value: of("failed") },
          { className: "bg-edge", value: of("cancelled") },
        ]}
      />
      <dl className="mt-4 flex flex-wrap gap-x-8 gap-y-2 text-sm">
        {others.map(({ name, count, className }) => (
          <div key={name} className="flex items-baseline gap-2">
            <dt className="text-faint">{name}</dt>
            <dd className={`font-semibold figures ${count > 0 ? (className ?? "") : ""}`}>
              {formats.number(count)}
            </dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}

function Finish({ campaign, finishAt }: { campaign: Campaign; finishAt: string | null }) {
  const { t } = useTranslation();
  const formats = useFormats();
  if (campaign.completed_at) {
    return (
      <span className="text-muted">
        {t("campaigns.endedAt", { when: formats.dateTime(campaign.completed_at) })}
      </span>
    );
  }
  if (campaign.state === "paused") return <span className="text-warn">{t("campaigns.nothingGoesOut")}</span>;
  if (!finishAt) return null;
  return <span className="text-muted">{t("campaigns.finishAt", { when: formats.dateTime(finishAt) })}</span>;
}
