import { useTranslation } from "react-i18next";

import { Badge, type Tone } from "@/components/ui/badge";
import type { Schemas } from "@/lib/api/client";

type State = Schemas["TenantState"];

const TONES: Record<State, Tone> = { active: "ok", past_due: "warn", suspended: "bad", closed: "quiet" };
export const TENANT_STATES = Object.keys(TONES) as State[];

export function TenantStateBadge({ state }: { state: State }) {
  const { t } = useTranslation();
  return <Badge tone={TONES[state]}>{t(`platform.states.${state}`)}</Badge>;
}
