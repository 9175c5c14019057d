import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { Notice } from "@/components/ui/notice";
import { Panel } from "@/components/ui/panel";
import { client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { useFormats } from "@/lib/format";

import { filled, type Span, widthOf } from "./rate";
import type { Campaign } from "./state";

const [WIDE, HIGH] = [600, 120];

/** What went out over time: bars for the eye, a table for whoever wants the numbers. */
export function RateChart({ campaign: { id, launched_at, completed_at } }: { campaign: Campaign }) {
  const { t } = useTranslation();
  const { data, error } = useQuery({
    queryKey: ["campaigns", "rate", id, launched_at, completed_at],
    queryFn: async ({ signal }) => {
      const until = completed_at ? Date.parse(completed_at) : Date.now();
      const from = launched_at ? Date.parse(launched_at) : until;
      const width = widthOf(from, until);
      const { data: rate } = await client.GET("/api/v1/campaigns/{id}/rate", {
        params: { path: { id }, query: { span_s: width } },
        signal,
      });
      return { width, spans: filled(rate?.items ?? [], width, from, until) };
    },
  });
  return (
    <Panel title={t("campaigns.rateTitle")}>
      {error ? (
        <Notice tone="bad" isAlert>
          {errorText(error, t)}
        </Notice>
      ) : data && data.spans.length > 0 ? (
        <Bars spans={data.spans} width={data.width} />
      ) : (
        <p className="py-8 text-center text-sm text-muted">{t("campaigns.rateNothing")}</p>
      )}
    </Panel>
  );
}

function Bars({ spans, width }: { spans: Span[]; width: number }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const most = Math.max(...spans.map(({ count }) => count));
  const sum = spans.reduce((all, { count }) => all + count, 0);
  const room = WIDE / spans.length;
  const isLong = spans.length * width > 86_400;
  const timeOf = (at: number) => {
    const time = new Date(at);
    return isLong ? formats.dateTime(time) : width < 60 ? formats.seconds(time) : formats.time(time);
  };
  const [first, last] = [spans[0]?.at ?? 0, (spans.at(-1)?.at ?? 0) + width * 1000];
  const every = formats.duration(width);
  return (
    <>
      <p className="mb-2 text-sm text-muted">
        {t("campaigns.rateMost", { most: formats.number(most), every, count: most })}
      </p>
      <svg
        role="img"
        aria-label={t("campaigns.rateSays", {
          sum: formats.number(sum),
          from: timeOf(first),
          until: timeOf(last),
          most: formats.number(most),
          every,
        })}
        viewBox={`0 0 ${WIDE} ${HIGH}`}
        preserveAspectRatio="none"
        className="h-32 w-full"
      >
        <rect y={HIGH - 1} width={WIDE} height={1} className="fill-edge" />
        {spans.map(({ at, count }, n) => {
          const high = most > 0 ? (count / most) * (HIGH - 2) : 0;
          const wide = Math.min(room * 0.84, 40);
          return (
            <rect
              key={at}
              x={n * room + (room - wide) / 2}
              y={HIGH - 1 - high}
              width={wide}
              height={high}
              className="fill-info"
            />
          );
        })}
      </svg>
      <p aria-hidden className="mt-1 flex justify-between text-xs text-faint figures">
        <span>{timeOf(first)}</span>
        <span>{timeOf(last)}</span>
      </p>
      <details className="mt-2 text-sm">
        <summary className="cursor-pointer text-accent-ink">{t("campaigns.rateTable")}</summary>
        <div
          tabIndex={0}
          role="region"
          aria-label={t("campaigns.rateTitle")}
          className="mt-2 max-h-56 overflow-y-auto"
        >
          <table className="w-full">
            <thead className="text-left text-xs text-faint">
              <tr>
                <th scope="col" className="font-medium">
                  {t("campaigns.rateFrom")}
                </th>
                <th scope="col" className="text-right font-medium">
                  {t("campaigns.funnel.sent")}
                </th>
              </tr>
            </thead>
            <tbody>
              {spans.map(({ at, count }) => (
                <tr key={at}>
                  <th scope="row" className="text-left font-normal figures">
                    {timeOf(at)}
                  </th>
                  <td className="text-right figures">{formats.number(count)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </>
  );
}
