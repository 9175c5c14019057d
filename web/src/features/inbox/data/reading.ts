/** What was seen is read: told to the server once it is really on the screen, and the end of it. */
import { useEffect, useEffectEvent } from "react";

import { client } from "@/lib/api/client";
import { ApiError } from "@/lib/api/error";

import { type Conversation, said } from "../wire";
import { patch } from "./lists";

/** So long it has to stay in sight. */
const SEEN_AFTER_MS = 250;

async function markRead(id: string, position: number): Promise<void> {
  try {
    const { unread_count } = await said(
      client.PUT("/api/v1/conversations/{id}/read", { params: { path: { id } }, body: { position } }),
    );
    patch(id, (conversation) => ({ ...conversation, unread_count }));
  } catch (error) {
    // it stays unread, which is true, and is told again with the next look at it
    if (!(error instanceof ApiError)) throw error;
  }
}

export function useMarkRead(conversation: Conversation, position: number, isSeen: boolean): void {
  const { id, unread_count: unread } = conversation;
  const mark = useEffectEvent(() => {
    if (unread > 0 && document.visibilityState === "visible") void markRead(id, position);
  });
  useEffect(() => {
    if (!isSeen || unread === 0) return;
    const timer = setTimeout(() => mark(), SEEN_AFTER_MS);
    const look = () => mark();
    document.addEventListener("visibilitychange", look);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, [id, position, isSeen, unread]);
}

/** Unread again, from the last message that came in. */
export async function markUnread(id: string): Promise<void> {
  const { unread_count } = await said(
    client.DELETE("/api/v1/conversations/{id}/read", { params: { path: { id } } }),
  );
  patch(id, (conversation) => ({ ...conversation, unread_count }));
}
