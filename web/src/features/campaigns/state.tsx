import { useMemo } from "react";
import { useTranslation } from "react-i18next";

import { Badge, type Tone } from "@/components/ui/badge";
import type { Schemas } from "@/lib/api/client";

export type Campaign = Schemas["Campaign"];

export const CAMPAIGN_STATES = ["draft", "scheduled", "active", "paused", "completed", "cancelled"] as const;
type CampaignStateName = (typeof CAMPAIGN_STATES)[number];
const TONES: Record<CampaignStateName, Tone> = {
  draft: "quiet",
  scheduled: "info",
  active: "info",
  paused: "warn",
  completed: "ok",
  cancelled: "quiet",
};

export function CampaignState({ state }: { state: string }) {
  const { t } = useTranslation();
  const known = CAMPAIGN_STATES.find((name) => name === state);
  return <Badge tone={known && TONES[known]}>{known ? t(`campaigns.states.${known}`) : state}</Badge>;
}

/** Where the page of a campaign has its recipients. */
export const RECIPIENTS = "recipients";

/** Where a recipient can be, in the order of their life. */
export const RECIPIENT_STATES = [
  "pending",
  "sending",
  "sent",
  "delivered",
  "read",
  "unknown",
  "held",
  "failed",
  "skipped",
  "cancelled",
] as const;
export type RecipientState = (typeof RECIPIENT_STATES)[number];
export const isRecipientState = (state: string | undefined): state is RecipientState =>
  RECIPIENT_STATES.some((known) => known === state);

export const RECIPIENT_TONES: Record<RecipientState, Tone> = {
  pending: "quiet",
  sending: "info",
  sent: "info",
  delivered: "ok",
  read: "ok",
  unknown: "warn",
  held: "warn",
  failed: "bad",
  skipped: "quiet",
  cancelled: "quiet",
};

/** The text of a stable code: why somebody was skipped or a message failed. A code without one is shown as it is. */
export function useReason(): (code: string) => string {
  const { t } = useTranslation();
  return useMemo(() => {
    const texts = t("campaigns.reasons", { returnObjects: true }) as Record<string, string>;
    return (code) => {
      const [, number] = /^gateway_error_(\d+)$/.exec(code) ?? [];
      return texts[code] ?? (number ? t("campaigns.reasons.gateway_error", { code: number }) : code);
    };
  }, [t]);
}
