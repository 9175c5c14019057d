import { describe, expect, it } from "vitest";

import { matches } from "../view";
import { type Conversation, instant } from "../wire";
import { comesBefore, type Pages, placed } from "./lists";

const conversation = (id: string, at: string, change: Partial<Conversation> = {}): Conversation => ({
  id,
  line_id: "line",
  line_name: "Line",
  address: "+13055550101",
  kind: "direct",
  name: null,
  contact: null,
  service: "imessage",
  state: "active",
  snoozed_until: null,
  assignee_id: null,
  label_ids: [],
  is_pinned: false,
  unread_count: 0,
  last_message: null,
  last_message_at: at,
  suppression: null,
  created_at: at,
  ...change,
});

const pages = (items: Conversation[][], cursor: string | null): Pages => ({
  pages: items.map((page, place) => ({
    items: page,
    next_cursor: place < items.length - 1 ? `c${place}` : cursor,
  })),
  pageParams: items.map(() => undefined),
});
const ids = (all: Pages) => all.pages.map((page) => page.items.map(({ id }) => id).join("")).join("|");

describe("times of the server", () => {
  it("compare as they are, however many digits they have", () => {
    expect(instant("2026-11-26T18:00:00Z") < instant("2026-11-26T18:00:00.1Z")).toBe(true);
    expect(instant("2026-11-26T18:00:00.123456Z") < instant("2026-11-26T18:00:00.1235Z")).toBe(true);
    expect(instant("2026-11-26T18:00:00.120Z")).toBe(instant("2026-11-26T18:00:00.12Z"));
  });
});

describe("a conversation that changed", () => {
  const a = conversation("a", "2026-11-26T18:03:00Z");
  const b = conversation("b", "2026-11-26T18:02:00Z");
  const c = conversation("c", "2026-11-26T18:01:00Z");
  const list = pages([[a, b], [c]], "more");

  it("moves to its new place and stands there once", () => {
    expect(ids(placed(list, { ...c, last_message_at: "2026-11-26T18:04:00Z" }, true))).toBe("cab|");
    expect(ids(placed(list, { ...c, last_message_at: "2026-11-26T18:02:30Z" }, true))).toBe("acb|");
    expect(ids(placed(list, { ...b, unread_count: 3 }, true)).replace("|", "")).toBe("abc");
  });

  it("leaves a list that does not show it any more, and comes into one that does", () => {
    expect(ids(placed(list, b, false))).toBe("a|c");
    expect(ids(placed(list, conversation("d", "2026-11-26T18:02:30Z"), true))).toBe("adb|c");
    expect(placed(list, conversation("d", "2026-11-26T18:02:30Z"), false)).toBe(list);
  });

  it("is left out where the list is not read that far, and ends a list that is", () => {
    const old = conversation("z", "2026-11-20T00:00:00Z");
    expect(ids(placed(list, old, true))).toBe("ab|c");
    expect(ids(placed(pages([[a, b], [c]], null), old, true))).toBe("ab|cz");
  });

  it("of the same moment stands by its id, as the server sorts it", () => {
    expect(comesBefore(conversation("b", a.last_message_at), a)).toBe(true);
    expect(comesBefore(conversation("0", a.last_message_at), a)).toBe(false);
  });
});

describe("a filter", () => {
  const now = Date.parse("2026-11-26T18:00:00Z");
  const one = conversation("a", "2026-11-26T17:00:00Z", {
    assignee_id: "me",
    label_ids: ["vip"],
    unread_count: 1,
  });
  const fits = (filter: Parameters<typeof matches>[0], change: Partial<Conversation> = {}) =>
    matches(filter, { ...one, ...change }, "me", now);

  it("leaves out what is snoozed until its time", () => {
    expect(fits({ state: "active" }, { snoozed_until: "2026-11-26T19:00:00Z" })).toBe(false);
    expect(fits({ snoozed: true }, { snoozed_until: "2026-11-26T19:00:00Z" })).toBe(true);
    expect(fits({ state: "active" }, { snoozed_until: "2026-11-26T17:59:00Z" })).toBe(true);
    expect(fits({ snoozed: true }, { snoozed_until: "2026-11-26T17:59:00Z" })).toBe(false);
  });

  it("knows whose, where and what", () => {
    expect(fits({ state: "active", assignee: "me", label: "vip", unread: true })).toBe(true);
    expect(fits({ assignee: "none" })).toBe(false);
    expect(fits({ assignee: "none" }, { assignee_id: null })).toBe(true);
    expect(fits({ assignee: "me" }, { assignee_id: "you" })).toBe(false);
    expect(fits({ state: "closed" })).toBe(false);
    expect(fits({ unread: true }, { unread_count: 0 })).toBe(false);
    expect(fits({ pinned: true })).toBe(false);
    expect(fits({ service: "sms" })).toBe(false);
  });
});
