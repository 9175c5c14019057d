/** Unset, empty and null, from what is typed to what is sent. */
import { expect, test } from "vitest";

import { behind, changeOf, cleared, type Draft, shownOf, withDraft } from "./draft";
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
