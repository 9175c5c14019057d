/** What the screens of webhooks read, and how it is read anew. */
import { useTranslation } from "react-i18next";

import type { Tone } from "@/components/ui/badge";
import { api, type Schemas } from "@/lib/api/client";
import { PAGES } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";

export type Webhook = Schemas["Webhook"];
export type Delivery = Schemas["WebhookDelivery"];

export const kindsQuery = api.queryOptions("get", "/api/v1/webhook-kinds");
export const webhookQuery = (id: string) =>
  api.queryOptions("get", "/api/v1/webhooks/{id}", { params: { path: { id } } });

export const readAgain = () =>
  Promise.all([
    queryClient.invalidateQueries({ queryKey: [PAGES, "webhooks"] }),
    queryClient.invalidateQueries({ queryKey: ["get", "/api/v1/webhooks/{id}"] }),
  ]);
export const readDeliveriesAgain = () =>
  Promise.all([
    queryClient.invalidateQueries({ queryKey: [PAGES, "deliveries"] }),
    queryClient.invalidateQueries({ queryKey: ["get", "/api/v1/webhooks/{id}/deliveries/{delivery_id}"] }),
  ]);

type State = "on" | "failing" | "off";
const TONES: Record<State, Tone> = { on: "ok", failing: "warn", off: "quiet" };

/** How it goes, in one word and its colour; one that was switched off by itself is bad news. */
export function stateOf(webhook: Webhook): { name: State; tone: Tone } {
  const { is_enabled: isOn, failing_since: failing, disabled_reason: reason } = webhook;
  const name = isOn ? (failing ? "failing" : "on") : "off";
  return { name, tone: !isOn && reason !== "by_hand" ? "bad" : TONES[name] };
}

/** The host of an address, which is what tells one from another. */
export const hostOf = (url: string) => {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
};

/** What a kind of event is called; one that is not known here is called what the server calls it. */
export function useKindName(): (kind: string) => string {
  const { t, i18n } = useTranslation();
  return (kind) => {
    const key: string = `webhooks.kinds.${kind.replace(".", "_")}`;
    return i18n.exists(key) ? t(key as "webhooks.kinds.ping") : kind;
  };
}
