import { useTranslation } from "react-i18next";

import { Badge, type Tone } from "@/components/ui/badge";
import type { Schemas } from "@/lib/api/client";

const JOBS: Record<Schemas["JobState"], Tone> = {
  available: "info",
  running: "accent",
  completed: "ok",
  discarded: "bad",
  quarantined: "bad",
  cancelled: "quiet",
};
export const JOB_STATES = Object.keys(JOBS) as Schemas["JobState"][];

export function JobStateBadge({ state }: { state: Schemas["JobState"] }) {
  const { t } = useTranslation();
  return <Badge tone={JOBS[state]}>{t(`operations.jobStates.${state}`)}</Badge>;
}

const BATCHES: Record<Schemas["BatchState"], Tone> = {
  held: "quiet",
  active: "accent",
  paused: "warn",
  cancelled: "quiet",
  completed: "ok",
};

export function BatchStateBadge({ state }: { state: Schemas["BatchState"] }) {
  const { t } = useTranslation();
  return <Badge tone={BATCHES[state]}>{t(`operations.batchStates.${state}`)}</Badge>;
}

/** Whose it is: tenants have numbers here, and 0 is the platform. */
export function Whose({ tenant }: { tenant: number | null | undefined }) {
  const { t } = useTranslation();
  return tenant ? <>{t("operations.tenant", { number: tenant })}</> : <>{t("operations.platform")}</>;
}
