import { expect, it } from "vitest";

import { marked } from "./marked";

const hits = (text: string, search: string) =>
  marked(text, search)
    .filter(({ isHit }) => isHit)
    .map(({ text }) => text);

it("marks what was searched whatever its accents, and puts the text together again", () => {
  expect(hits("José Muñoz pidió el presupuesto", "jose presu")).toEqual(["José", "presupuesto"]);
  expect(hits("from: no es una palabra", "from:ana")).toEqual([]);
  expect(
    marked("¿Cuándo? Mañana.", "manana")
      .map(({ text }) => text)
      .join(""),
  ).toBe("¿Cuándo? Mañana.");
});
