/** Events of the feed, each put into the cache where it belongs. What an event does not say is read, once. */
import { useEffect } from "react";

import { fellBehind, useEvent } from "@/lib/live";

import { refresher } from "./conversation";
import { patch } from "./lists";
import { type Move, moved, remember } from "./moves";
import { recognise } from "./outbox";
import { useLivePresence } from "./presence";
import { useLiveLabels } from "./reference";
import { catchUp, findMessage, patchMessages, readMessage } from "./thread";

export function useInboxLive(me: string, open: string | undefined): void {
  useEffect(() => {
    refresher.reader = { me, open };
  }, [me, open]);
  const readOn = (id: string) => void catchUp(id, (news) => recognise(id, news, me)).catch(fellBehind);
  useLivePresence(me);
  useLiveLabels();
  useEvent("conversation.updated", ({ conversation_id: id }) => {
    refresher.ask(id);
    // a note comes without an event of its own
    if (id === open) readOn(id);
  });
  useEvent("message.new", ({ conversation_id: id }) => {
    refresher.ask(id);
    readOn(id);
  });
  useEvent("message.changed", ({ conversation_id: id, message_id: message }) => {
    refresher.ask(id);
    readMessage(id, message).catch(fellBehind);
  });
  useEvent("unread.changed", ({ user_id: user, conversation_id: id, unread_count }) => {
    if (user !== me) return;
    patch(id, (conversation) => ({ ...conversation, unread_count }));
    refresher.ask(id);
  });
  useEvent("message.status", ({ items }, { at }) => {
    for (const item of items) apply({ ...item, at });
  });
}

function apply(move: Move): void {
  const { conversation_id: id, message_id: message, status } = move;
  remember(move);
  patch(id, (conversation) => {
    const { last_message: last } = conversation;
    if (last?.id !== message) return conversation;
    return { ...conversation, last_message: { ...last, status } };
  });
  const shown = findMessage(id, message);
  if (!shown) return;
  patchMessages(id, (known) => (known.id === message ? moved(known, move) : known));
  // what carried it is known once it is sent, and a second try may have taken its place: neither is in the event
  if (status !== "sending" && status !== "queued" && (shown.service === "unknown" || status === "failed")) {
    readMessage(id, message).catch(fellBehind);
  }
}
