import { useTranslation } from "react-i18next";

import { Badge, type Tone } from "@/components/ui/badge";
import type { Schemas } from "@/lib/api/client";

export type Job = Schemas["Job"];
export type Lane = Schemas["Lane"];
export type Gate = Schemas["Gate"];
export type Batch = Schemas["Batch"];

export const JOB_STATES: Job["state"][] = [
  "available",
  "running",
  "completed",
  "discarded",
  "quarantined",
  "cancelled",
];
const JOB_TONES: Record<Job["state"], Tone> = {
  available: "quiet",
  running: "info",
  completed: "ok",
  discarded: "bad",
  quarantined: "bad",
  cancelled: "quiet",
};
const BATCH_TONES: Record<Batch["state"], Tone> = {
  held: "warn",
  active: "info",
  paused: "warn",
  cancelled: "quiet",
  completed: "ok",
};

export function JobState({ state }: { state: Job["state"] }) {
  const { t } = useTranslation();
  return <Badge tone={JOB_TONES[state]}>{t(`jobs.states.${state}`)}</Badge>;
}

export function BatchState({ state }: { state: Batch["state"] }) {
  const { t } = useTranslation();
  return <Badge tone={BATCH_TONES[state]}>{t(`jobs.batchStates.${state}`)}</Badge>;
}

/** Why a lane or a gate lets nothing through; open ones say so too. */
export function LaneState({ lane: { paused_at, cancelled_at } }: { lane: Lane }) {
  const { t } = useTranslation();
  if (cancelled_at) return <Badge>{t("jobs.laneCancelled")}</Badge>;
  return paused_at ? (
    <Badge tone="warn">{t("jobs.lanePaused")}</Badge>
  ) : (
    <Badge tone="ok">{t("jobs.laneOpen")}</Badge>
  );
}

export function GateState({ gate }: { gate: Gate }) {
  const { t } = useTranslation();
  if (gate.breaker !== "closed") return <Badge tone="bad">{t("jobs.gateBroken")}</Badge>;
  if (gate.paused_at) return <Badge tone="warn">{t("jobs.lanePaused")}</Badge>;
  if (gate.spent_until ?? gate.rests_until) return <Badge tone="warn">{t("jobs.gateRests")}</Badge>;
  return <Badge tone="ok">{t("jobs.laneOpen")}</Badge>;
}
