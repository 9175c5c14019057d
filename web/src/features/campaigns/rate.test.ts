import { expect, test } from "vitest";

import { filled, widthOf } from "./rate";

const at = (minute: number) => new Date(minute * 60_000).toISOString();

test("a span in which nothing went out is a gap of nothing, not of time", () => {
  const spans = filled(
    [
      { at: at(2), count: 3 },
      { at: at(5), count: 1 },
    ],
    60,
    61_000,
    6 * 60_000 + 1,
  );
  expect(spans.map(({ count }) => count)).toEqual([0, 3, 0, 0, 1, 0]);
  expect(spans[0]?.at).toBe(60_000);
  expect(filled([], 60, 0, 600_000)).toEqual([]);
});

test("the bars are as narrow as they can be and not too many", () => {
  expect(widthOf(0, 1_000)).toBe(10);
  expect(widthOf(0, 20 * 60_000)).toBe(60);
  expect(widthOf(0, 3 * 86_400_000)).toBe(21_600);
  // the longest campaign still has a chart
  expect(widthOf(0, 400 * 86_400_000)).toBe(86_400);
});
