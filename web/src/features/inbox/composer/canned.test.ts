import { expect, it } from "vitest";

import { type CannedReply, find, slashAt } from "./canned";

const reply = (shortcut: string, body: string) => ({ id: shortcut, shortcut, body }) as CannedReply;

it("a slash asks for a canned reply at the beginning and after a space, and nowhere else", () => {
  expect(slashAt("/", 1)).toEqual({ from: 0, word: "" });
  expect(slashAt("Hola /salu", 10)).toEqual({ from: 5, word: "salu" });
  expect(slashAt("Hola /salu y más", 10)).toEqual({ from: 5, word: "salu" });
  expect(slashAt("24/7", 4)).toBeNull();
  expect(slashAt("https://a", 9)).toBeNull();
  expect(slashAt("/salu ya", 8)).toBeNull();
});

it("finds by the beginning of the shortcut first, whatever the accents", () => {
  const all = [
    reply("adios", "Hasta pronto"),
    reply("envio", "Sale mañana"),
    reply("manana", "Abrimos a las 9"),
  ];
  expect(find(all, "mañ").map(({ shortcut }) => shortcut)).toEqual(["manana", "envio"]);
  expect(find(all, "")).toHaveLength(3);
  expect(find(all, "nada")).toEqual([]);
});
