/** What is wrong with a form that the server has not been asked about, and where an error of the server belongs. */
import { UNREADABLE } from "@/components/ui/input";
import type { ApiError } from "@/lib/api/error";
import { CAMPAIGN_STEPS } from "@/routes/search";

import { audienceOf, type FieldName, type Form } from "./form";
import { momentOf } from "./times";

export const STEPS = CAMPAIGN_STEPS;
export type Step = (typeof STEPS)[number];

const STEP_OF: Record<FieldName, Step> = {
  name: "audience",
  line_id: "audience",
  on_unknown: "audience",
  audience: "audience",
  body: "message",
  window: "timing",
  quiet_hours: "timing",
  ends_at: "timing",
  pace: "timing",
  start: "timing",
};
export const stepOf = (field: FieldName): Step => STEP_OF[field];

/** Codes of texts in `campaigns.faults`. */
export type Fault =
  | "name"
  | "line"
  | "import"
  | "labels"
  | "filter"
  | "body"
  | "pace"
  | "noHour"
  | "half"
  | "window"
  | "noTime"
  | "startPassed"
  | "endPassed"
  | "endFirst";

const AUDIENCE_FAULTS = { import: "import", labels: "labels", filter: "filter" } as const;

export function faultsOf(
  form: Form,
  edits: Partial<Form>,
  now = Date.now(),
): Partial<Record<FieldName, Fault>> {
  const { audience, pace, ends_at, start, window } = form;
  const end = ends_at ? momentOf(ends_at) : null;
  const begin = start.isLater && start.at ? momentOf(start.at) : null;
  const kind = audience.kind as keyof typeof AUDIENCE_FAULTS;
  return {
    ...(form.name.trim() ? {} : { name: "name" }),
    ...(form.line_id ? {} : { line_id: "line" }),
    ...(audienceOf(audience) ? {} : { audience: AUDIENCE_FAULTS[kind] }),
    ...(form.body.trim() ? {} : { body: "body" }),
    // the rate that a program gave may have a part of one
    ...(!edits.pace || pace.count.trim() === "" || isCount(pace.count) ? {} : { pace: "pace" }),
    ...(ends_at && !end ? { ends_at: momentFault(ends_at) } : {}),
    ...(end && end.getTime() <= now ? { ends_at: "endPassed" } : {}),
    ...(start.isLater && !start.at ? { start: "noTime" } : {}),
    ...(start.isLater && start.at && !begin ? { start: momentFault(start.at) } : {}),
    ...(window.isOn && [window.from, window.until].includes(UNREADABLE) ? { window: "window" } : {}),
    ...(begin && begin.getTime() <= now ? { start: "startPassed" } : {}),
    ...(begin && end && end <= begin ? { start: "endFirst" } : {}),
  };
}

/** Half of a time, or one that its day does not have. */
const momentFault = (local: string): Fault => (local === UNREADABLE ? "half" : "noHour");

const MOST = 4_294_967_295;
const isCount = (text: string) => Number.isInteger(Number(text)) && Number(text) > 0 && Number(text) <= MOST;

const FIELD_OF: Record<string, FieldName> = {
  name: "name",
  line_id: "line_id",
  on_unknown: "on_unknown",
  audience: "audience",
  import_id: "audience",
  body: "body",
  window: "window",
  quiet_hours: "quiet_hours",
  ends_at: "ends_at",
  pace: "pace",
  rate_per_minute: "pace",
  starts_at: "start",
};

export function fieldOf({ field, code }: ApiError): FieldName | undefined {
  return code === "campaign_name_taken" ? "name" : FIELD_OF[field ?? ""];
}
