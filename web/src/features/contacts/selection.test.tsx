import { act, renderHook } from "@testing-library/react";
import { expect, test } from "vitest";

import { useSelection } from "./selection";

const rows = ["a", "b", "c", "d"].map((id) => ({ id }));
const choose = (hasMore = false) =>
  renderHook(({ about }) => useSelection(rows, hasMore, about, ({ id }) => id), {
    initialProps: { about: "1" },
  });

test("a range is chosen between two, and let go of in the same way", () => {
  const { result } = choose();
  act(() => result.current.selection.onToggle({ id: "b" }, false));
  act(() => result.current.selection.onToggle({ id: "d" }, true));
  expect([...result.current.chosen.ids]).toEqual(["b", "c", "d"]);
  expect(result.current.selection.whole).toBe("some");
  act(() => result.current.selection.onToggle({ id: "c" }, false));
  act(() => result.current.selection.onToggle({ id: "b" }, true));
  expect([...result.current.chosen.ids]).toEqual(["d"]);
});

test("all that match are more than those that are loaded, and less one they are these", () => {
  const { result } = choose(true);
  expect(result.current.canTakeAll).toBe(false);
  act(() => result.current.selection.onToggleAll());
  expect(result.current.count).toBe(4);
  expect(result.current.canTakeAll).toBe(true);
  act(() => result.current.takeAll());
  expect(result.current.chosen.isAll).toBe(true);
  expect(result.current.count).toBeNull();
  act(() => result.current.selection.onToggle({ id: "a" }, false));
  expect(result.current.chosen).toEqual({ isAll: false, ids: new Set(["b", "c", "d"]) });
});

test("another filter is another choice", () => {
  const { result, rerender } = choose();
  act(() => result.current.selection.onToggleAll());
  rerender({ about: "2" });
  expect(result.current.selection.whole).toBe("none");
  expect(result.current.chosen.ids.size).toBe(0);
});
