/** Conversations and messages in words: names, services, previews, statuses, reasons. */
import type { TFunction } from "i18next";

import { phoneText } from "@/lib/format";

import type { Conversation, Message, Service } from "./wire";

export function nameOf(conversation: Pick<Conversation, "name" | "address" | "kind">, t: TFunction): string {
  if (conversation.name) return conversation.name;
  return conversation.kind === "group" ? t("inbox.group") : phoneText(conversation.address);
}

export function serviceName(service: Service, t: TFunction): string {
  return service === "unknown" ? t("inbox.service.unknown") : t(`inbox.service.${service}`);
}

/** What was said last, as one line: who said it, where it was not the other side, and how it begins. */
export function previewOf(conversation: Conversation, t: TFunction): string {
  const last = conversation.last_message;
  if (!last) return t("inbox.preview.none");
  const text = last.preview.replace(/\s+/g, " ").trim() || fileText(last, t);
  if (last.kind === "note") {
    return last.source === "system" ? t("inbox.preview.system") : t("inbox.preview.note", { text });
  }
  if (last.direction === "inbound") return text || t("inbox.preview.empty");
  if (last.source === "campaign") return t("inbox.preview.campaign", { text });
  return t("inbox.preview.us", { text });
}

const FILES = ["image", "video", "audio"] as const;

/** What a message without a text is. */
function fileText({ media_kind: kind }: NonNullable<Conversation["last_message"]>, t: TFunction): string {
  return kind ? t(`inbox.preview.${FILES.find((name) => name === kind) ?? "file"}`) : "";
}

const STATUSES = [
  "queued",
  "sending",
  "sent",
  "delivered",
  "read",
  "unknown",
  "failed",
  "cancelled",
  "received",
] as const;
export type Status = (typeof STATUSES)[number];

export function statusOf(message: Pick<Message, "status">): Status | null {
  return STATUSES.find((status) => status === message.status) ?? null;
}

const REASONS = [
  "held",
  "worker_died",
  "opted_out",
  "opt_out_review",
  "blacklisted",
  "not_on_imessage",
  "voice_not_convertible",
  "job_discarded",
  "job_cancelled",
  "job_quarantined",
  "job_given_up",
  "lane_cancelled",
  "chat_not_found",
  "private_api_off",
  "bad_request",
  "unauthorized",
  "too_large",
  "bad_gateway",
  "gateway_timeout",
  "helper_timeout",
  "apple_script",
  "tunnel_offline",
  "proxy_refused",
  "answer_not_understood",
  "row_not_seen",
  "row_in_error",
  "server_error",
  "connect_refused",
  "unknown_outcome",
  "first_arrived",
] as const;

/** Why, and what to do about it. A code without words of ours is shown as it is: support can do something with it. */
export function reasonText(reason: string | null | undefined, t: TFunction): string {
  if (!reason) return "";
  const code = /^gateway_error_(\d+)$/.exec(reason)?.[1];
  if (code === "22") return t("inbox.reason.gateway_error_22");
  if (code) return t("inbox.reason.gateway_error", { code });
  const known = REASONS.find((name) => name === reason);
  return known ? t(`inbox.reason.${known}`) : t("inbox.reason.other", { code: reason });
}
