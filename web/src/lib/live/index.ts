/** The socket of this tab, and how screens listen to it. */
import { useEffect, useEffectEvent, useSyncExternalStore } from "react";

import { queryClient } from "@/lib/api/query";

import { type Handler, Live, type LiveState } from "./socket";

/** What each event tells; see `crm/src/events.rs`. */
export interface Events {
  "campaign.progress": {
    campaign_id: string;
    state: string;
    counts: Record<string, number>;
    finish_at: string | null;
  };
  "job.progress": { subject: string; id: string; state: string; done: number; total: number };
  "message.status": {
    items: { message_id: string; conversation_id: string; status: string; reason: string | null }[];
  };
  "message.new": { message_id: string; conversation_id: string; direction?: "inbound" | "outbound" };
  "message.changed": { message_id: string; conversation_id: string };
  "conversation.updated": { conversation_id: string };
  "conversation.presence": {
    conversation_id: string;
    user_id: string;
    name: string;
    state: "here" | "typing" | "gone";
  };
  "unread.changed": { user_id: string; conversation_id: string; unread_count: number };
  typing: { conversation_id: string; is_typing: boolean };
  "device.changed": { session_id: string };
  "label.changed": Record<string, unknown>;
  "webhook.disabled": { webhook_id: string; reason: string };
  "breaker.opened": Record<string, unknown>;
  "breaker.closed": Record<string, unknown>;
}

/** Something that an event told of could not be read: no later event will say it again. */
let isBehind = false;
export function fellBehind(): void {
  isBehind = true;
}

let onSignedOut: () => void = () => undefined;

const live = new Live({
  url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/live`,
  onStale: () => {
    isBehind = false;
    void queryClient.invalidateQueries();
  },
  onResumed: () => {
    if (isBehind) {
      isBehind = false;
      void queryClient.invalidateQueries();
      return;
    }
    // events make up for what was missed, not for what was asked for in vain meanwhile
    void queryClient.refetchQueries({
      type: "active",
      predicate: ({ state }) => state.status === "error" || state.isInvalidated,
    });
  },
  onSignedOut: () => onSignedOut(),
});

/** Keeps the feed open while somebody is logged in. */
export function useLiveFeed(signedOut: () => void): void {
  const run = useEffectEvent(signedOut);
  useEffect(() => {
    onSignedOut = () => run();
    live.start();
    return () => live.stop();
  }, []);
}

/** Handles events of a kind, outside of components. The answer ends it. */
export function onEvent<Kind extends keyof Events>(kind: Kind, handler: Handler<Events[Kind]>): () => void {
  return live.on(kind, handler);
}

/** Handles events of a kind for as long as the component is there. */
export function useEvent<Kind extends keyof Events>(kind: Kind, handler: Handler<Events[Kind]>): void {
  const run = useEffectEvent(handler);
  useEffect(() => onEvent(kind, (data, event) => run(data, event)), [kind]);
}

export function useLiveState(): LiveState {
  return useSyncExternalStore(live.watch, live.current);
}
