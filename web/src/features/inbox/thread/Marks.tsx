import { useTranslation } from "react-i18next";

import { cn } from "@/lib/cn";

import type { Attempt, Message } from "../wire";
import { reasonText, serviceName, type Status, statusOf } from "../words";
import { StatusMark } from "./StatusMark";

const TAPBACKS: Record<string, string> = {
  love: "❤️",
  like: "👍",
  dislike: "👎",
  laugh: "😂",
  emphasize: "‼️",
  question: "❓",
};

/** What either side has said to a message with one sign. */
export function Reactions({ message }: { message: Message }) {
  const { t } = useTranslation();
  const { reactions } = message;
  if (reactions.length === 0) return null;
  return (
    <ul aria-label={t("inbox.thread.reactions")} className="-mt-1.5 flex gap-1 px-2">
      {reactions.map(({ kind, from, at }) => (
        <li
          key={`${from} ${kind} ${at}`}
          className="rounded-full border border-line bg-overlay px-1.5 text-sm"
          title={t(from === "us" ? "inbox.thread.reactedUs" : "inbox.thread.reactedThey")}
        >
          {TAPBACKS[kind] ?? kind}
          <span className="sr-only">
            {" "}
            {t(from === "us" ? "inbox.thread.reactedUs" : "inbox.thread.reactedThey")}
          </span>
        </li>
      ))}
    </ul>
  );
}

const EVIDENCE = ["error", "availability", "person"] as const;

/** On what the second try rests. */
function evidenceKind({ evidence }: Attempt): (typeof EVIDENCE)[number] | undefined {
  const kind = evidence && typeof evidence === "object" && "kind" in evidence ? evidence.kind : null;
  return EVIDENCE.find((known) => known === kind);
}

const SERVICES = ["imessage", "sms", "rcs", "unknown"] as const;
const serviceOf = (name: string) => SERVICES.find((service) => service === name) ?? "unknown";

/** Both tries of a message that went out over another service than was tried first, with why. */
export function Attempts({ message, className }: { message: Message; className?: string }) {
  const { t } = useTranslation();
  const { attempts } = message;
  if (attempts.length < 2) return null;
  return (
    <ol
      aria-label={t("inbox.attempts.label")}
      className={cn("mt-1 flex flex-col gap-0.5 text-xs text-muted", className)}
    >
      {attempts.map((attempt, place) => {
        const kind = evidenceKind(attempt);
        const status: Status | null = statusOf(attempt);
        return (
          <li key={attempt.at + String(place)}>
            <p className="flex flex-wrap items-center gap-x-1.5">
              {t("inbox.attempts.number", {
                number: place + 1,
                service: serviceName(serviceOf(attempt.service), t),
              })}
              {status ? <StatusMark status={status} at={attempt.at} /> : null}
            </p>
            {attempt.reason ? <p className="text-faint">{reasonText(attempt.reason, t)}</p> : null}
            {kind ? <p className="text-faint">{t(`inbox.attempts.${kind}`)}</p> : null}
          </li>
        );
      })}
    </ol>
  );
}
