/**
 * Which messages moved while something was being read. An answer may have left the server before a move and arrive after the word of it: what
 * it says of that message is older than what is known, and would take it back.
 */
import type { Events } from "@/lib/live";

import type { Message } from "../wire";

export type Move = Events["message.status"]["items"][number] & { at: string };

let moment = 0;
const moves = new Map<string, { moment: number; move: Move }>();
/** Moves remembered at most: many more than there can be while one answer is on its way. */
const MOST = 2_000;

/** The moment before a question; what is answered is as old as that. */
export const now = (): number => moment;

export function remember(move: Move): void {
  moves.delete(move.message_id);
  moves.set(move.message_id, { moment: ++moment, move });
  for (const oldest of moves.keys()) {
    if (moves.size <= MOST) break;
    moves.delete(oldest);
  }
}

function since(messageId: string, asked: number): Move | undefined {
  const found = moves.get(messageId);
  return found && found.moment > asked ? found.move : undefined;
}

/** A message as it stands after the word that it moved. */
export function moved(message: Message, { status, reason, at }: Move): Message {
  const times = {
    sent: { sent_at: message.sent_at ?? at },
    delivered: { delivered_at: message.delivered_at ?? at },
    read: { read_at: message.read_at ?? at },
  };
  return { ...message, status, reason, ...(times[status as keyof typeof times] ?? {}) };
}

/** A message as it was answered to what was asked then, with what is known since. */
export function upToDate(message: Message, asked: number): Message {
  const move = since(message.id, asked);
  return move ? moved(message, move) : message;
}

/** Where a message stands, answered to what was asked then. */
export function statusSince(messageId: string, status: string | null | undefined, asked: number) {
  return since(messageId, asked)?.status ?? status ?? null;
}
