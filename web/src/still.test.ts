/** Nothing moves, and looks live in one place. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

const files = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" })
  .filter((file) => /\.(tsx?|css)$/.test(file) && !/\.test\.tsx?$/.test(file))
  .map((file) => ({ file, text: readFileSync(join(import.meta.dirname, file), "utf8") }));

test("no source asks for an animation or a transition", () => {
  const moving =
    /\b(animate-(?!\*)[\w[]|transition(-\w+)?["'\s\]]|duration-\d|ease-(in|out|linear)|@keyframes|requestAnimationFrame|\.animate\(|scroll-smooth|behavior: "smooth")/;
  const found = files
    .filter(({ file }) => file !== "styles.css")
    .filter(({ text }) => moving.test(text))
    .map(({ file }) => file);
  expect(found).toEqual([]);
});

test("the style sheet stills what a library may bring along", () => {
  const styles = files.find(({ file }) => file === "styles.css")?.text ?? "";
  expect(styles).toContain("animation: none !important");
  expect(styles).toContain("transition: none !important");
});

test("colours are tokens of the style sheet", () => {
  const found = files
    .filter(({ file }) => !["styles.css", join("components", "avatar.tsx")].includes(file))
    .filter(({ text }) => /\[#[0-9a-f]{3,8}\]|\brgba?\(/i.test(text))
    .map(({ file }) => file);
  expect(found).toEqual([]);
});
