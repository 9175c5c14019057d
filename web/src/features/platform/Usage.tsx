import { useTranslation } from "react-i18next";

import type { Schemas } from "@/lib/api/client";
import { useFormats } from "@/lib/format";

type Figures = Schemas["Usage"];
export const MEASURES = [
  "messages_out",
  "campaign_messages",
  "messages_in",
  "campaigns",
  "contacts",
  "storage_bytes",
  "ai_tokens",
] as const satisfies readonly (keyof Figures)[];
export type Measure = (typeof MEASURES)[number];

/** A figure of a measure as people read it. */
export function useFigure(): (measure: Measure, value: number) => string {
  const formats = useFormats();
  return (measure, value) =>
    measure === "storage_bytes" && value >= 0 ? formats.bytes(value) : formats.number(value);
}

/** What the plan allows of it; none: as much as one likes. Messages of people and of campaigns have one limit. */
function limitOf(limits: Schemas["PlanLimits"] | undefined, measure: Measure): number | null | undefined {
  switch (measure) {
    case "contacts":
      return limits?.most_contacts;
    case "campaigns":
      return limits?.most_campaigns;
    case "storage_bytes":
      return limits?.most_storage_bytes;
    case "ai_tokens":
      return limits?.most_ai_tokens;
    case "messages_out":
    case "campaign_messages":
    case "messages_in":
      return undefined;
  }
}

/** What was used in a month, beside what the plan allows. */
export function Totals({ of, limits }: { of: Figures; limits?: Schemas["PlanLimits"] }) {
  const { t } = useTranslation();
  const figure = useFigure();
  const formats = useFormats();
  return (
    <>
      <dl className="grid grid-cols-2 gap-x-6 gap-y-4 sm:grid-cols-3 lg:grid-cols-4">
        {MEASURES.map((measure) => {
          const most = limitOf(limits, measure);
          return (
            <div key={measure}>
              <dt className="text-xs text-faint">{t(`usage.measures.${measure}`)}</dt>
              <dd className="text-lg font-semibold tabular-nums">{figure(measure, of[measure])}</dd>
              {typeof most === "number" ? (
                <dd className="text-xs text-muted">{t("usage.of", { most: figure(measure, most) })}</dd>
              ) : null}
            </div>
          );
        })}
      </dl>
      {typeof limits?.most_messages === "number" ? (
        <p className="text-sm text-muted">
          {t("usage.mostMessages", { most: formats.number(limits.most_messages) })}
        </p>
      ) : null}
    </>
  );
}

/** The ledger itself: what was added each day. */
export function Days({ days }: { days: Schemas["UsageDay"][] }) {
  const { t, i18n } = useTranslation();
  const figure = useFigure();
  if (days.length === 0) return <p className="text-sm text-muted">{t("usage.empty")}</p>;
  // a day of the tenant's clock, whatever the browser's is
  const date = new Intl.DateTimeFormat(i18n.language, { dateStyle: "medium", timeZone: "UTC" });
  return (
    <div className="overflow-x-auto" tabIndex={0} role="region" aria-label={t("usage.byDay")}>
      <table className="w-full text-left text-sm">
        <thead className="text-xs text-faint">
          <tr>
            <th scope="col" className="py-2 pr-3 font-medium">
              {t("usage.day")}
            </th>
            <th scope="col" className="px-3 py-2 font-medium">
              {t("usage.what")}
            </th>
            <th scope="col" className="py-2 pl-3 text-right font-medium">
              {t("usage.amount")}
            </th>
          </tr>
        </thead>
        <tbody>
          {days.map(({ day, measure, channel, amount }) => (
            <tr key={`${day} ${measure} ${channel}`} className="border-t border-line">
              <td className="py-1.5 pr-3 whitespace-nowrap">{date.format(new Date(`${day}T00:00:00Z`))}</td>
              <td className="px-3 py-1.5">
                {t(`usage.measures.${measure as Measure}`)}
                {channel ? (
                  <span className="text-faint">{` · ${t(`usage.channels.${channel as "imessage"}`)}`}</span>
                ) : null}
              </td>
              <td className="py-1.5 pl-3 text-right tabular-nums">{figure(measure as Measure, amount)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
