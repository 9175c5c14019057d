/**
 * A thread as rows: days, the unread line, messages in groups. Whatever an older page can change of a row stands below its bubble, never
 * above it, so that what is being read does not move when one is put before it.
 */
import type { Pending } from "../data/outbox";
import { keyOf } from "../data/outbox";
import type { Message } from "../wire";

/** Messages of one side within this time stand together. */
const TOGETHER_MS = 5 * 60_000;

export type Row =
  | { type: "start"; key: string }
  | { type: "day"; key: string; at: string }
  | { type: "unread"; key: string; count: number }
  | { type: "message"; key: string; message: Message; isLast: boolean }
  | { type: "pending"; key: string; pending: Pending; isLast: boolean };

const dayOf = (at: string) => new Date(at).toDateString();

function isSystem(message: Message): boolean {
  return message.kind === "note" && message.source === "system";
}

/** Whether both look alike and belong together. */
function areTogether(a: Message, b: Message | undefined): boolean {
  if (!b || isSystem(a) || isSystem(b)) return false;
  const isAlike =
    a.kind === b.kind &&
    a.direction === b.direction &&
    a.source === b.source &&
    a.author?.id === b.author?.id &&
    a.service === b.service &&
    a.status === b.status;
  const gap = new Date(b.created_at).getTime() - new Date(a.created_at).getTime();
  return isAlike && gap < TOGETHER_MS && dayOf(a.created_at) === dayOf(b.created_at);
}

interface Thread {
  messages: readonly Message[];
  pending: readonly Pending[];
  /** The first message that had not been read when the thread was opened, and how many there were. */
  unread: { id: string; count: number } | null;
  isBeginning: boolean;
}

export function rowsOf({ messages, pending, unread, isBeginning }: Thread): Row[] {
  const rows: Row[] = isBeginning ? [{ type: "start", key: "start" }] : [];
  messages.forEach((message, place) => {
    const before = messages[place - 1];
    // the day of the first message is told once it is known that nothing of that day is before it
    const isNewDay = before ? dayOf(before.created_at) !== dayOf(message.created_at) : isBeginning;
    if (isNewDay) rows.push({ type: "day", key: `day ${dayOf(message.created_at)}`, at: message.created_at });
    if (unread?.id === message.id) rows.push({ type: "unread", key: "unread", count: unread.count });
    const next = messages[place + 1];
    const isLast = next ? next.id === unread?.id || !areTogether(message, next) : true;
    rows.push({ type: "message", key: keyOf(message.id), message, isLast });
  });
  pending.forEach((one, place) => {
    const next = pending[place + 1];
    const isLast = next?.kind !== one.kind || next.state !== one.state;
    rows.push({ type: "pending", key: one.key, pending: one, isLast });
  });
  return rows;
}

/** What was unread when a thread was opened: that many messages, up to that place. */
export interface Unread {
  count: number;
  upTo: number;
}

/** Which of them came in first; null where that is not loaded yet. Order is by when they became known. */
export function firstUnread(messages: readonly Message[], { count, upTo }: Unread): Thread["unread"] {
  if (count === 0) return null;
  const unread = messages
    .filter(
      ({ direction, kind, position }) => kind === "message" && direction === "inbound" && position <= upTo,
    )
    .toSorted((a, b) => b.position - a.position)
    .slice(0, count);
  if (unread.length < count) return null;
  const ids = new Set(unread.map(({ id }) => id));
  const first = messages.find(({ id }) => ids.has(id));
  return first ? { id: first.id, count } : null;
}

/** How far is read by whoever sees all of these. */
export function lastPosition(messages: readonly Message[]): number {
  return messages.reduce(
    (most, { position, direction }) => (direction === "inbound" ? Math.max(most, position) : most),
    0,
  );
}
