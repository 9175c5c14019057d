/** Unset, empty and null, from what is typed to what is sent. */
import { expect, test } from "vitest";

import { behind, changeOf, cleared, type Draft, leftOf, shownOf, withDraft } from "./draft";
import { keptUntil, shownUntil } from "./hours";
import type { Held, Setting } from "./wire";

const held = (value: unknown, source: Held["source"]): Held => ({
  value,
  source,
  is_some: value !== null,
  set_at: null,
});

const setting = (holds: Held, inherited: Held | null = null, more: Partial<Setting> = {}): Setting => ({
  key: "brand.name",
  kind: { type: "text", most: 200 },
  is_nullable: true,
  may_be_empty: true,
  is_heeded: false,
  holds,
  inherited,
  ...more,
});

const own = "organization";
const account = held("Acme", "tenant");
const set = (value: unknown): Draft => ({ kind: "set", value });

test("what is shown is what will hold", () => {
  const inherits = setting(account);
  const has = setting(held("North", own), account);
  expect(shownOf(inherits, own, undefined)).toEqual(account);
  expect(shownOf(inherits, own, set(""))).toEqual(held("", own));
  expect(shownOf(inherits, own, set(null))).toEqual(held(null, own));
  expect(shownOf(has, own, { kind: "unset" })).toEqual(account);
  expect(behind(has, own)).toEqual(account);
  // what always has a value of its own has nothing behind it
  expect(behind(setting(held("US", "tenant")), "tenant")).toBeNull();
});

test("a draft that would change nothing is none", () => {
  const inherits = setting(account);
  const has = setting(held("North", own), account);
  expect(withDraft({}, has, own, set("North"))).toEqual({});
  expect(withDraft({}, inherits, own, { kind: "unset" })).toEqual({});
  expect(withDraft({ "brand.name": set("x") }, has, own, null)).toEqual({});
  // the same as the account's, but no more whatever the account has
  expect(withDraft({}, inherits, own, set("Acme"))).toEqual({ "brand.name": set("Acme") });
  expect(withDraft({}, has, own, set(null))).toEqual({ "brand.name": set(null) });
  const secret = { kind: { type: "secret" }, may_be_empty: false } as const;
  const kept = setting({ ...held(null, own), is_some: true }, null, secret);
  expect(withDraft({}, kept, own, set(null))).toEqual({ "brand.name": set(null) });
});

test("what is sent tells unset from empty and from null", () => {
  const drafts = {
    "brand.name": set(""),
    "brand.color": set(null),
    "hours.weekly": { kind: "unset" } as Draft,
  };
  expect(changeOf(drafts)).toEqual({
    set: { "brand.name": "", "brand.color": null },
    unset: ["hours.weekly"],
  });
  expect(cleared(setting(account))).toBe("");
  expect(cleared(setting(account, null, { may_be_empty: false }))).toBeNull();
});

test("what is typed while others are saved is all that is left", () => {
  const name = setting(held("North", own), account);
  const color = setting(held(null, "default"), null, { key: "brand.color" });
  const sent = { "brand.name": set("North") };
  expect(leftOf(sent, sent, [name, color], own)).toEqual({});
  const more = { ...sent, "brand.color": set("#112233") };
  expect(leftOf(more, sent, [name, color], own)).toEqual({ "brand.color": set("#112233") });
  // it has been changed once more, and once to what is kept now
  expect(leftOf({ "brand.name": set("N") }, sent, [name, color], own)).toEqual({ "brand.name": set("N") });
  expect(leftOf({ "brand.name": { kind: "unset" } }, sent, [name], own)).toEqual({
    "brand.name": { kind: "unset" },
  });
  expect(leftOf({ "brand.name": set("North") }, sent, [name, color], own)).toEqual({});
});

test("hours may end with the day, which the field writes as midnight", () => {
  expect(keptUntil("00:00")).toBe("24:00");
  expect(shownUntil("24:00")).toBe("00:00");
  for (const time of ["", "00:01", "12:00", "23:59"]) {
    expect(keptUntil(time)).toBe(time);
    expect(shownUntil(time)).toBe(time);
  }
});
