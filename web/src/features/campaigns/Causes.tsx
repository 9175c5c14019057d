import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import { Badge } from "@/components/ui/badge";
import { Panel } from "@/components/ui/panel";
import type { Schemas } from "@/lib/api/client";
import { useFormats } from "@/lib/format";

import { isRecipientState, RECIPIENT_TONES, RECIPIENTS, useReason } from "./state";

interface CausesProps {
  campaignId: string;
  causes: Schemas["RecipientCause"][];
}

/** What went wrong, by cause, each with the way to the recipients behind it. */
export function Causes({ campaignId, causes }: CausesProps) {
  const { t } = useTranslation();
  const formats = useFormats();
  const reason = useReason();
  const rows = [...causes].sort((a, b) => b.count - a.count);
  return (
    <Panel title={t("campaigns.causes")} isFlush>
      <ul className="divide-y divide-line">
        {rows.map(({ state, reason: code, count }) => (
          <li key={`${state} ${code}`} className="flex items-center gap-3 px-4 py-2 text-sm">
            {isRecipientState(state) ? (
              <Badge tone={RECIPIENT_TONES[state]}>{t(`campaigns.recipientStates.${state}`)}</Badge>
            ) : null}
            <span className="min-w-0 flex-1">{reason(code)}</span>
            <span className="font-semibold figures">{formats.number(count)}</span>
            <Link
              to="/campaigns/$campaignId"
              params={{ campaignId }}
              search={{ state, reason: code }}
              hash={RECIPIENTS}
              aria-label={t("campaigns.seeThemOf", { reason: reason(code) })}
              className="text-accent-ink hover:underline"
            >
              {t("campaigns.seeThem")}
            </Link>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
