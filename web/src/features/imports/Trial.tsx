import { useTranslation } from "react-i18next";

import { Badge } from "@/components/ui/badge";
import { Notice } from "@/components/ui/notice";
import { Panel } from "@/components/ui/panel";
import type { Schemas } from "@/lib/api/client";
import { useFormats } from "@/lib/format";

import { Figures } from "./Figures";

/** What an import would do, tried by the server and taken back. */
export function Trial({ trial }: { trial: Schemas["ImportDryRun"] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { import: tried, is_partial: isPartial, errors } = trial;
  return (
    <Panel title={t("imports.trial")} aside={<p className="text-xs text-faint">{t("imports.trialHint")}</p>}>
      {isPartial ? (
        <Notice tone="info" className="mb-4">
          {t("imports.trialPartial", { rows: formats.number(tried.row_count) })}
        </Notice>
      ) : null}
      <Figures of={tried} />
      {errors.length > 0 ? (
        <div className="mt-5 border-t border-line pt-3">
          <h3 className="mb-2 text-sm font-semibold">{t("imports.firstErrors")}</h3>
          <div
            tabIndex={0}
            role="region"
            aria-label={t("imports.firstErrors")}
            className="max-h-72 overflow-auto"
          >
            <table className="w-full text-sm">
              <thead className="text-left text-xs text-faint">
                <tr>
                  <th scope="col" className="w-14 py-1 pr-3 text-right font-medium">
                    {t("imports.line")}
                  </th>
                  <th scope="col" className="py-1 font-medium">
                    {t("imports.reason")}
                  </th>
                  <th scope="col" className="hidden py-1 font-medium md:table-cell">
                    {t("imports.row")}
                  </th>
                </tr>
              </thead>
              <tbody>
                {errors.map(({ line_number, code, detail, reason, is_warning, cells }) => (
                  <tr key={`${line_number} ${code} ${detail ?? ""}`} className="align-top">
                    <td className="py-1 pr-3 text-right figures">{formats.number(line_number)}</td>
                    <td className="py-1 pr-3">
                      <Badge tone={is_warning ? "warn" : "bad"} className="mr-2">
                        {t(is_warning ? "imports.warning" : "imports.error")}
                      </Badge>
                      {reason}
                      {detail ? <span className="text-muted"> · {detail}</span> : null}
                    </td>
                    <td className="hidden max-w-64 truncate py-1 text-muted md:table-cell">
                      {cells.filter(Boolean).join(" · ")}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </div>
      ) : null}
    </Panel>
  );
}
