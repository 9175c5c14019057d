import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import { useFormats } from "@/lib/format";

import { RECIPIENTS, useReason } from "./state";

interface AudienceTableProps {
  selected: number;
  eligible: number;
  skipped: Record<string, number>;
  /** Of one that is launched: each reason leads to those it was for. */
  campaignId?: string;
}

/** Chosen, less each reason, is who gets it: the sum is there to be checked. */
export function AudienceTable({ selected, eligible, skipped, campaignId }: AudienceTableProps) {
  const { t } = useTranslation();
  const formats = useFormats();
  const reason = useReason();
  const rows = Object.entries(skipped).sort(([, a], [, b]) => b - a);
  return (
    <table className="w-full text-sm">
      <caption className="sr-only">{t("campaigns.audience")}</caption>
      <tbody>
        <tr>
          <th scope="row" className="py-1 text-left font-normal">
            {t("campaigns.selected")}
          </th>
          <td className="py-1 text-right figures">{formats.number(selected)}</td>
        </tr>
        {rows.map(([code, count]) => (
          <tr key={code} className="text-muted">
            <th scope="row" className="py-1 pl-4 text-left font-normal">
              {campaignId ? (
                <Link
                  to="/campaigns/$campaignId"
                  params={{ campaignId }}
                  search={{ state: "skipped", reason: code }}
                  hash={RECIPIENTS}
                  className="underline"
                >
                  {reason(code)}
                </Link>
              ) : (
                reason(code)
              )}
            </th>
            <td className="py-1 text-right figures">−{formats.number(count)}</td>
          </tr>
        ))}
        <tr className="font-semibold">
          <th scope="row" className="border-t border-line pt-2 text-left font-semibold">
            {t("campaigns.eligible")}
          </th>
          <td className="border-t border-line pt-2 text-right text-ok figures">{formats.number(eligible)}</td>
        </tr>
      </tbody>
    </table>
  );
}
