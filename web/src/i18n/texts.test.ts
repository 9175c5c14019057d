/** Both languages say the same things, each text is used, and every text that is asked for is there. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { pickLanguage, withMany } from "./index";

type Texts = { [key: string]: string | Texts };

/** Every file of a language, by its name: those that the first screen loads, and those that come later. */
function textsOf(language: "es" | "en"): Texts {
  const folder = join(import.meta.dirname, language);
  const files = readdirSync(folder).filter((file) => file.endsWith(".json"));
  return Object.fromEntries(
    files.map((file) => [file.slice(0, -5), JSON.parse(readFileSync(join(folder, file), "utf8")) as Texts]),
  );
}
const en = textsOf("en");
const es = textsOf("es");

const SOURCES = join(import.meta.dirname, "..");
const PLURAL = /_(one|many|other)$/;
/** Texts that are named by what the server says. */
const BY_SERVER = [
  "problems.",
  "campaigns.problems.",
  "codes.problems.",
  "campaigns.reasons.",
  "files.problems.",
  "imports.reasons.",
  "contacts.problems.",
  "imports.problems.",
  "jobs.problems.",
  "operations.problems.",
  "organizations.problems.",
  "permissions.problems.",
  "privacy.problems.",
  "providers.problems.",
  "platform.problems.",
  "security.problems.",
  "settings.problems.",
  "sms.problems.",
  "teams.problems.",
  "users.problems.",
  "webhooks.problems.",
];

function flat(texts: Texts, before = ""): Map<string, string> {
  return new Map(
    Object.entries(texts).flatMap(([key, value]) =>
      typeof value === "string"
        ? [[`${before}${key}`, value] as [string, string]]
        : [...flat(value, `${before}${key}.`)],
    ),
  );
}

const languages = { es: flat(es), en: flat(en) };
const whole = (texts: Map<string, string>) =>
  new Set([...texts.keys()].map((key) => key.replace(PLURAL, "")));

function sources(): string[] {
  const files = readdirSync(SOURCES, { recursive: true, encoding: "utf8" });
  return files
    .filter((file) => /\.tsx?$/.test(file) && !/\.test\.tsx?$|schema\.d\.ts$/.test(file))
    .map((file) => readFileSync(join(SOURCES, file), "utf8"));
}

test("both languages have the same texts, and none is empty", () => {
  expect([...whole(languages.es)].sort()).toEqual([...whole(languages.en)].sort());
  for (const texts of Object.values(languages)) {
    for (const [key, text] of texts) expect(text.trim(), key).not.toBe("");
  }
});

test("both languages put the same values into a text", () => {
  const values = (text: string) => [...new Set(text.match(/\{\{\w+\}\}/g))].sort();
  for (const [key, text] of languages.es) {
    const other = languages.en.get(key);
    // "one" may leave its number out
    if (other !== undefined && !key.endsWith("_one")) expect(values(other), key).toEqual(values(text));
  }
});

test("a text that counts has every plural of its language", () => {
  for (const [language, texts] of [
    ["es", flat(withMany(es))],
    ["en", languages.en],
  ] as const) {
    const { pluralCategories } = new Intl.PluralRules(language).resolvedOptions();
    // a code of the server may end in such a word
    const counting = [...texts.keys()].filter((key) => !BY_SERVER.some((prefix) => key.startsWith(prefix)));
    for (const key of counting.filter((key) => PLURAL.test(key))) {
      for (const category of pluralCategories) {
        const wanted = key.replace(PLURAL, `_${category}`);
        expect(texts.has(wanted), `${language}: ${wanted}`).toBe(true);
      }
    }
  }
});

test("no text is unused, and none that is asked for is missing", () => {
  const code = sources().join("\n");
  const quoted = new Set([...code.matchAll(/["'`]([a-z][\w]*(?:\.[\w]+)+)["'`]/g)].map(([, key]) => key));
  const prefixes = [...code.matchAll(/`([a-z]\w*(?:\.\w+)*\.\w*)\$\{/g)].map(([, prefix]) => prefix ?? "");
  const known = whole(languages.en);
  const unused = [...known].filter(
    (key) => !quoted.has(key) && ![...BY_SERVER, ...prefixes].some((prefix) => key.startsWith(prefix)),
  );
  expect(unused).toEqual([]);
  const asked = [...code.matchAll(/\bt\(\s*["']([\w.]+)["']/g)].map(([, key]) => key ?? "");
  expect(asked.length).toBeGreaterThan(20);
  expect(
    asked.filter((key) => !known.has(key) && ![...known].some((other) => other.startsWith(`${key}.`))),
  ).toEqual([]);
});

test("the language is the one that was chosen, else the browser's, else Spanish", () => {
  expect(pickLanguage("en", ["es-MX"])).toBe("en");
  expect(pickLanguage(null, ["de-DE", "en-US", "es"])).toBe("en");
  expect(pickLanguage("klingon", ["es-419"])).toBe("es");
  expect(pickLanguage(null, ["pt-BR"])).toBe("es");
});
