import { useTranslation } from "react-i18next";

import { Notice } from "@/components/ui/notice";
import { Panel } from "@/components/ui/panel";
import { api } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { cn } from "@/lib/cn";
import { useFormats } from "@/lib/format";

const STEPS = [
  "selected",
  "eligible",
  "sent",
  "delivered",
  "read",
  "replied",
  "opted_out",
  "failed",
] as const;
const BARS: Partial<Record<(typeof STEPS)[number], string>> = {
  failed: "fill-bad-solid",
  opted_out: "fill-warn",
  replied: "fill-accent",
};

/** How many got from each step to the next, from those that were chosen to those that answered. */
export function Funnel({ campaignId }: { campaignId: string }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const init = { params: { path: { id: campaignId } } };
  const { data, error } = api.useQuery("get", "/api/v1/campaigns/{id}/funnel", init);
  const whole = data?.selected ?? 0;
  return (
    <Panel title={t("campaigns.funnelTitle")}>
      {error ? (
        <Notice tone="bad" isAlert>
          {errorText(error, t)}
        </Notice>
      ) : null}
      <table className="w-full text-sm">
        <thead className="sr-only">
          <tr>
            <th scope="col">{t("campaigns.funnelStep")}</th>
            <th scope="col">{t("campaigns.funnelCount")}</th>
            <th scope="col">{t("campaigns.funnelShare")}</th>
          </tr>
        </thead>
        <tbody>
          {STEPS.map((name) => {
            const count = data?.[name];
            // before anything is out, nobody can say that it is not told
            const isUntold = name === "read" && data?.read == null && (data?.sent ?? 0) > 0;
            const share = whole > 0 && count ? count / whole : 0;
            return (
              <tr key={name}>
                <th scope="row" className="w-32 py-1 pr-3 text-left font-normal text-muted">
                  {t(`campaigns.funnel.${name}`)}
                </th>
                {isUntold ? (
                  <td colSpan={2} className="py-1 text-muted">
                    {t("campaigns.readUntold")}
                  </td>
                ) : (
                  <>
                    <td className="py-1">
                      <span className="flex items-center gap-2">
                        <svg
                          aria-hidden
                          viewBox="0 0 100 8"
                          preserveAspectRatio="none"
                          className="h-2 min-w-0 flex-1"
                        >
                          <rect width="100" height="8" className="fill-hover" />
                          <rect width={share * 100} height="8" className={cn(BARS[name] ?? "fill-info")} />
                        </svg>
                        <span className="w-12 text-right font-semibold figures">
                          {count == null ? "–" : formats.number(count)}
                        </span>
                      </span>
                    </td>
                    <td className="w-16 py-1 text-right text-muted figures">{formats.percent(share)}</td>
                  </>
                )}
              </tr>
            );
          })}
        </tbody>
      </table>
    </Panel>
  );
}
