import { expect, test } from "vitest";

import { readContacts } from "@/routes/search";

import { filterOf, isNarrowed, queryOf } from "./filter";

test("an address without a filter narrows nothing", () => {
  const search = readContacts({ contact: "c", new: "true", bulk: "b" });
  expect(isNarrowed(search)).toBe(false);
  expect(filterOf(search)).toEqual({});
});

test("what the address says is what the list and an act on all of them ask for", () => {
  const search = readContacts({ q: "ana", label: "l", import: "i", phone: "no", suppression: "any" });
  expect(isNarrowed(search)).toBe(true);
  const same = { text: "ana", import_id: "i", has_phone: false, suppression: "any" };
  expect(filterOf(search)).toEqual({ ...same, label_ids: ["l"] });
  expect(queryOf(search)).toEqual({ ...same, label_id: "l" });
});

test("both days of a range are in it, whole, also where the clock is changed", () => {
  const { created_from, created_before } = filterOf(readContacts({ from: "2026-03-08", to: "2026-03-08" }));
  expect(created_from).toBe(new Date(2026, 2, 8).toISOString());
  expect(created_before).toBe(new Date(2026, 2, 9).toISOString());
  expect(filterOf(readContacts({ to: "2026-12-31" })).created_before).toBe(
    new Date(2027, 0, 1).toISOString(),
  );
});

test("what an address can't mean is dropped", () => {
  const search = readContacts({ phone: "maybe", suppression: "all", from: "2026-13-45", to: "yesterday" });
  expect(filterOf(search)).toEqual({});
});
