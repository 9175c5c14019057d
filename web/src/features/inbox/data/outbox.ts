/**
 * What was written here and the server has not confirmed yet: shown as such, sent one after the other in the order in which it was written,
 * each with a key that makes a second try harmless. What fails stays with its text until somebody decides.
 */
import { useSyncExternalStore } from "react";

import { client, onceKey, type Schemas } from "@/lib/api/client";
import { ApiError } from "@/lib/api/error";

import { type Media, type Message, said } from "../wire";
import { add, findMessage } from "./thread";

export type Kind = Schemas["MessageKind"];

export interface Pending {
  key: string;
  conversationId: string;
  kind: Kind;
  body: string;
  media: readonly Media[];
  replyTo: { id: string; preview: string } | null;
  despiteOptOut: boolean;
  createdAt: string;
  state: "sending" | "failed";
  error: unknown;
}

export type Written = Pick<
  Pending,
  "conversationId" | "kind" | "body" | "media" | "replyTo" | "despiteOptOut"
>;

const NONE: readonly Pending[] = [];
const outbox = new Map<string, readonly Pending[]>();
const watchers = new Set<() => void>();
const running = new Set<string>();
/** Under which key a message was shown before it was one, so that its bubble stays the same one. */
const keys = new Map<string, string>();

const list = (id: string): readonly Pending[] => outbox.get(id) ?? NONE;

function set(id: string, next: readonly Pending[]): void {
  if (next.length === 0) outbox.delete(id);
  else outbox.set(id, next);
  watchers.forEach((watcher) => watcher());
}

export const keyOf = (messageId: string): string => keys.get(messageId) ?? messageId;

export function usePending(id: string): readonly Pending[] {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => list(id),
  );
}

/** Shows it at once and sends it after all that was written before. */
export function write(written: Written): void {
  const pending: Pending = {
    ...written,
    key: onceKey(),
    createdAt: new Date().toISOString(),
    state: "sending",
    error: null,
  };
  set(written.conversationId, [...list(written.conversationId), pending]);
  void run(written.conversationId);
}

/** Tries all that failed in a conversation again, in their order. */
export function retry(id: string, change: Partial<Pending> = {}): void {
  set(
    id,
    list(id).map((pending) => ({ ...pending, ...change, state: "sending", error: null })),
  );
  void run(id);
}

export function discard(id: string, key: string): void {
  set(
    id,
    list(id).filter((pending) => pending.key !== key),
  );
}

async function run(id: string): Promise<void> {
  if (running.has(id)) return;
  running.add(id);
  try {
    for (;;) {
      const next = list(id).find((pending) => pending.state === "sending");
      if (!next) return;
      try {
        became(next, await send(next));
      } catch (error) {
        // what was written after it must not overtake it
        set(
          id,
          list(id).map((pending) => ({ ...pending, state: "failed", error })),
        );
      }
    }
  } finally {
    running.delete(id);
  }
}

function send({ conversationId, kind, body, media, replyTo, despiteOptOut, key }: Pending): Promise<Message> {
  return said(
    client.POST("/api/v1/conversations/{id}/messages", {
      params: { path: { id: conversationId }, header: { "Idempotency-Key": key } },
      headers: { "Idempotency-Key": key },
      body: {
        kind,
        body,
        despite_opt_out: despiteOptOut,
        ...(media.length > 0 ? { media_ids: media.map(({ id }) => id) } : {}),
        ...(replyTo ? { reply_to_id: replyTo.id } : {}),
      },
    } as never) as Promise<{ data?: Message }>,
  );
}

/** The server holds it: the bubble is a message from here on. */
function became(pending: Pending, message: Message): void {
  keys.set(message.id, pending.key);
  add(pending.conversationId, [message]);
  discard(pending.conversationId, pending.key);
}

/**
 * Our own message came by the feed before the answer to its request did: of two the bubble would be shown twice. Messages of one writer and
 * conversation are stored in the order in which they are sent, so it is the first that waits and reads the same.
 */
export function recognise(id: string, news: readonly Message[], me: string): void {
  for (const message of news) {
    if (message.author?.id !== me || keys.has(message.id) || findMessage(id, message.id)) continue;
    const waiting = list(id).find(
      (pending) =>
        couldBeHeld(pending) &&
        pending.kind === message.kind &&
        pending.body === message.body &&
        !isAdopted(pending.key),
    );
    if (!waiting) continue;
    keys.set(message.id, waiting.key);
    if (waiting.state === "failed") discard(id, waiting.key);
  }
}

/** On its way, or without an answer: then the server may hold it all the same. */
const couldBeHeld = ({ state, error }: Pending): boolean =>
  state === "sending" || (error instanceof ApiError && error.isTransient);

const isAdopted = (key: string) => [...keys.values()].includes(key);

/** Those that are not messages yet. */
export function stillPending(pending: readonly Pending[], messages: readonly Message[]): readonly Pending[] {
  if (pending.length === 0) return pending;
  const shown = new Set(messages.map((message) => keyOf(message.id)));
  return pending.filter(({ key }) => !shown.has(key));
}

/** Whether the text is written and not confirmed: on its way, or failed with its text still to be seen. */
export const isWaiting = (id: string, kind: Kind, body: string): boolean =>
  list(id).some((pending) => pending.kind === kind && pending.body === body.trim());

/** Whatever is on its way or has failed is only here: the browser asks before such a tab is closed. */
addEventListener("beforeunload", (event) => {
  if (outbox.size > 0) event.preventDefault();
});
