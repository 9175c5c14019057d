import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";

import type { Schemas } from "@/lib/api/client";
import { type Formats, useFormats } from "@/lib/format";

type Explained = Schemas["Explained"];

/** One cause in the reader's language. The server's own sentence is English, and stands in for a cause that this page does not know yet. */
function sentence(cause: Explained, t: TFunction, formats: Formats): string {
  const at = (time: string | null | undefined) => (time ? formats.dateTime(time) : t("why.sometime"));
  const count = (before: number, isMore: boolean) =>
    isMore ? t("why.moreThan", { n: formats.number(before) }) : formats.number(before);
  switch (cause.cause) {
    case "running":
      return t(cause.is_lease_over ? "why.running_lost" : "why.running", {
        since: at(cause.since),
        worker: cause.worker ?? "",
      });
    case "not_due":
      return t("why.not_due", { at: at(cause.run_at) });
    case "lane_paused":
      return t("why.lane_paused", { since: at(cause.since) });
    case "lane_cancelled":
      return t("why.lane_cancelled", { since: at(cause.since) });
    case "gate_missing":
      return t("why.gate_missing", { gate: cause.gate_id });
    case "gate_paused":
      return t("why.gate_paused", { gate: cause.gate, since: at(cause.since), reason: cause.reason ?? "" });
    case "gate_without_tokens":
      return t("why.gate_without_tokens", {
        gate: cause.gate,
        rate: formats.decimal(cause.rate * 60),
        before: count(cause.before, cause.is_more),
      });
    case "cap_reached":
      return t("why.cap_reached", { gate: cause.gate, cap: formats.number(cause.cap) });
    case "breaker_open":
      return t("why.breaker_open", { gate: cause.gate, until: at(cause.until), reason: cause.reason ?? "" });
    case "gate_spent":
      return t("why.gate_spent", { gate: cause.gate, until: at(cause.until) });
    case "gate_rests":
      return t("why.gate_rests", { gate: cause.gate, until: at(cause.until) });
    case "key_held":
      return t("why.key_held", { job: cause.job_id });
    case "no_worker_for_queue":
      return t("why.no_worker_for_queue", { queue: cause.queue });
    case "no_worker_for_kind":
      return t("why.no_worker_for_kind", { kind: cause.kind });
    case "behind_others":
      return t("why.behind_others", { before: count(cause.before, cause.is_more) });
    case "ready":
      return t("why.ready");
    case "quarantined":
      return t("why.quarantined", { at: at(cause.at), deaths: formats.number(cause.deaths.length) });
    case "discarded":
      return t("why.discarded", { at: at(cause.at) });
    case "cancelled":
      return t("why.cancelled", { at: at(cause.at) });
    case "completed":
      return t("why.completed", { at: at(cause.at) });
    default:
      return (cause as { sentence: string }).sentence;
  }
}

/** Why a job does not run, or what became of it, and when it can be expected to start. */
export function Causes({ of }: { of: Schemas["Explanation"] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  return (
    <div className="flex flex-col gap-2">
      <ul className="flex flex-col gap-2 text-base">
        {of.causes.map((cause) => (
          <li
            key={JSON.stringify(cause)}
            className="rounded-md border border-line p-3 [overflow-wrap:anywhere]"
          >
            {sentence(cause, t, formats)}
          </li>
        ))}
      </ul>
      {of.expected_at ? (
        <p className="text-sm text-muted">{t("why.expected", { at: formats.dateTime(of.expected_at) })}</p>
      ) : null}
    </div>
  );
}
