import { expect, test } from "vitest";

import { UNREADABLE } from "@/components/ui/input";

import { faultsOf } from "./faults";
import { audienceOf, changeOf, EMPTY, everybody, formOf, newOf } from "./form";
import type { Campaign } from "./state";
import { localOf, momentOf } from "./times";

const campaign: Campaign = {
  id: "c",
  name: "Enero",
  line_id: "l",
  body: "Hola",
  on_unknown: "hold",
  quiet_hours: true,
  state: "draft",
  created_at: "2026-01-01T00:00:00Z",
};
const none = {
  created_before: null,
  created_from: null,
  has_phone: null,
  ids: null,
  import_id: null,
  label_ids: [],
  phone: null,
  suppression: null,
  text: null,
};

test.each([
  ["everybody", {}, { import_id: null, audience: null }],
  ["import", { import_id: "i" }, { import_id: "i", audience: null }],
  [
    "labels",
    { audience: { ...none, label_ids: ["a", "b"] } },
    { import_id: null, audience: { label_ids: ["a", "b"] } },
  ],
  [
    "filter",
    { audience: { ...none, text: "ana", has_phone: false, label_ids: ["a"] } },
    { import_id: null, audience: { text: "ana", has_phone: false, label_ids: ["a"] } },
  ],
] as const)("whom it goes to is the same once it is read back: %s", (kind, of, said) => {
  const chosen = formOf({ ...campaign, ...(of as Partial<Campaign>) }).audience;
  expect(chosen.kind).toBe(kind);
  expect(audienceOf(chosen)).toEqual(said);
});

test("days of a filter are the days of this clock, the last one among them", () => {
  const search = { from: "2026-03-01", to: "2026-03-31" };
  const filter = audienceOf({ ...everybody, kind: "filter", search })?.audience;
  const back = formOf({ ...campaign, audience: { ...none, ...filter } }).audience;
  expect(back.kind).toBe("filter");
  expect(back.search).toMatchObject(search);
});

test("a filter that no field can show stays as it is", () => {
  const audience = { ...none, ids: ["x"] };
  const chosen = formOf({ ...campaign, audience }).audience;
  expect(chosen.kind).toBe("given");
  expect(audienceOf(chosen)).toEqual({ import_id: null, audience });
});

test("an unfinished choice is not sent", () => {
  for (const kind of ["import", "labels", "filter"] as const) {
    expect(audienceOf({ ...everybody, kind })).toBeNull();
    expect(faultsOf({ ...EMPTY, audience: { ...everybody, kind } }, {}).audience).toBe(kind);
  }
});

test("what is taken away is said as null, and what is not touched is not said", () => {
  expect(changeOf({})).toEqual({});
  expect(changeOf({ window: { ...EMPTY.window, isOn: false }, ends_at: "", pace: EMPTY.pace })).toEqual({
    window: null,
    ends_at: null,
    pace: null,
    rate_per_minute: null,
  });
  expect(newOf({ ...EMPTY, name: " Enero ", line_id: "l", body: "Hola" })).toMatchObject({
    name: "Enero",
    quiet_hours: true,
    on_unknown: "hold",
  });
});

test("a time says which moment it is, and one without an offset is never sent", () => {
  const local = "2026-01-05T18:00";
  expect(localOf(momentOf(local) ?? "")).toBe(local);
  expect(changeOf({ ends_at: local }).ends_at).toMatch(/Z$/);
  expect(momentOf("2026-02-30T10:00")).toBeNull();
});

test("a start that has passed, or comes after the deadline, is told at its field", () => {
  const now = Date.parse("2026-01-05T12:00:00Z");
  const at = (hours: number) => localOf(new Date(now + hours * 3_600_000));
  const faults = (start: number, end: number) =>
    faultsOf({ ...EMPTY, start: { isLater: true, at: at(start) }, ends_at: at(end) }, {}, now);
  expect(faults(-1, 5).start).toBe("startPassed");
  expect(faults(5, 4).start).toBe("endFirst");
  expect(faults(1, -1).ends_at).toBe("endPassed");
  expect(faults(1, 5)).toMatchObject({ name: "name" });
  expect(faults(1, 5).start).toBeUndefined();
});

test("what a field can't read is a fault, and is not taken for nothing", () => {
  const window = { ...EMPTY.window, isOn: true, until: UNREADABLE };
  const start = { isLater: true, at: UNREADABLE };
  const pace = { ...EMPTY.pace, count: UNREADABLE };
  const edits = { window, start, pace, ends_at: UNREADABLE };
  expect(faultsOf({ ...EMPTY, ...edits }, edits)).toMatchObject({
    window: "window",
    start: "half",
    pace: "pace",
    ends_at: "half",
  });
});

test("a pace is a whole number; the rate that a program gave stays until somebody changes it", () => {
  const form = formOf({ ...campaign, rate_per_minute: 0.5 });
  expect(form.pace).toEqual({ count: "0.5", per: "minute" });
  expect(faultsOf(form, {}).pace).toBeUndefined();
  for (const count of ["0", "-1", "1.5", "x"]) {
    const pace = { count, per: "hour" as const };
    expect(faultsOf({ ...form, pace }, { pace }).pace).toBe("pace");
  }
});
