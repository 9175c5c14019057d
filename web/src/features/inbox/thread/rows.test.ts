import { describe, expect, it } from "vitest";

import type { Message } from "../wire";
import { firstUnread, rowsOf } from "./rows";

let position = 0;
const message = (id: string, at: string, change: Partial<Message> = {}): Message => ({
  id,
  conversation_id: "c",
  kind: "message",
  direction: "inbound",
  source: "contact",
  author: null,
  body: id,
  service: "imessage",
  status: "received",
  reason: null,
  reply_to: null,
  reactions: [],
  attempts: [],
  media: [],
  position: ++position,
  created_at: at,
  sent_at: null,
  delivered_at: null,
  read_at: null,
  ...change,
});

const rows = (
  messages: Message[],
  isBeginning = true,
  unread: Parameters<typeof rowsOf>[0]["unread"] = null,
) => rowsOf({ messages, pending: [], unread, isBeginning });
const words = (all: ReturnType<typeof rowsOf>) =>
  all
    .map((row) => (row.type === "message" ? `${row.message.id}${row.isLast ? "." : ""}` : row.type))
    .join(" ");

describe("a thread", () => {
  const days = [
    message("a", "2026-11-24T10:00:00Z"),
    message("b", "2026-11-24T10:01:00Z"),
    message("c", "2026-11-24T10:30:00Z"),
    message("d", "2026-11-25T10:00:00Z", { direction: "outbound", source: "user" }),
  ];

  it("has a line for each day, and groups what one side says within minutes", () => {
    expect(words(rows(days))).toBe("start day a b. c. day d.");
  });

  it("does not change what is above a message when an older page comes", () => {
    const later = rows(days.slice(1), false);
    const all = rows(days, true);
    const tail = (list: typeof all) => list.slice(list.findIndex((row) => row.key === "b"));
    expect(tail(all)).toEqual(tail(later));
    expect(words(later)).toBe("b. c. day d.");
  });

  it("keeps notes, campaigns and colleagues apart", () => {
    const at = (second: number) => `2026-11-24T10:00:0${second}Z`;
    const ours = { direction: "outbound", source: "user" } as const;
    const list = [
      message("a", at(0), { ...ours, author: { id: "1", name: "Ana" } }),
      message("b", at(1), { ...ours, author: { id: "2", name: "Luis" } }),
      message("n", at(2), { ...ours, kind: "note", author: { id: "2", name: "Luis" } }),
      message("c", at(3), { ...ours, source: "campaign" }),
    ];
    expect(words(rows(list))).toBe("start day a. b. n. c.");
  });

  it("puts the unread line before the first of those that came in since, by when they became known", () => {
    const list = [
      message("a", "2026-11-24T10:00:00Z", { position: 1 }),
      // came late: it stands early and is known last
      message("late", "2026-11-24T10:00:30Z", { position: 4 }),
      message("b", "2026-11-24T10:01:00Z", { position: 2 }),
      message("c", "2026-11-24T10:02:00Z", { position: 3 }),
    ];
    const unread = firstUnread(list, { count: 2, upTo: 4 });
    expect(unread).toEqual({ id: "late", count: 2 });
    expect(words(rows(list, true, unread))).toBe("start day a. unread late b c.");
    expect(firstUnread(list, { count: 0, upTo: 4 })).toBeNull();
    // more than is loaded: the line is not where one could see it
    expect(firstUnread(list, { count: 5, upTo: 4 })).toBeNull();
    // what comes in while one reads does not move it
    const more = [...list, message("d", "2026-11-24T10:03:00Z", { position: 5 })];
    expect(firstUnread(more, { count: 2, upTo: 4 })).toEqual(unread);
  });
});
