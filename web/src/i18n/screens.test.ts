/** A screen says nothing that is not loaded with it: its file and all that it brings along are followed from its route. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

import { expect, test } from "vitest";

import first from "./en";

const SOURCES = join(import.meta.dirname, "..");
const ROUTES = join(SOURCES, "routes/index.tsx");
const LATER = readdirSync(join(import.meta.dirname, "en"))
  .filter((file) => file.endsWith(".json"))
  .map((file) => file.slice(0, -5))
  .filter((topic) => !(topic in first));

/** A file, and the later topics that are there when it is shown. */
interface Shown {
  file: string;
  topics: string[];
}

const read = (file: string) => readFileSync(file, "utf8");

function fileOf(named: string, from: string): string | undefined {
  const path = named.startsWith("@/") ? join(SOURCES, named.slice(2)) : join(dirname(from), named);
  return ["", ".ts", ".tsx", "/index.ts", "/index.tsx"]
    .map((end) => `${path}${end}`)
    .find((file) => /\.tsx?$/.test(file) && existsSync(file));
}

/** What comes with a file at once. */
const imported = (text: string): [string, string[]][] =>
  [...text.matchAll(/^(?:import|export)\s(?!type\b)[^;]*?"([^"]+)";/gm)].map(([, named]) => [
    named ?? "",
    [],
  ]);

/** What it loads when that is first needed, with the topics that it asks for. */
const loaded = (text: string): [string, string[]][] =>
  [...text.matchAll(/(withTexts\(\s*)?import\(\s*"([^"]+)"\s*\)((?:,\s*"\w+")*)/g)].map(
    ([, asks, named, topics]) => [named ?? "", asks ? (topics?.match(/\w+/g) ?? []) : []],
  );

const filesOf = (named: [string, string[]][], from: string): Shown[] =>
  named.flatMap(([name, topics]) => {
    const file = /^[@.]/.test(name) ? fileOf(name, from) : undefined;
    return file ? [{ file, topics }] : [];
  });

/** Each route's screen; it stands within its parent's, whose topics are there before it. */
function screens(): Shown[] {
  const text = read(ROUTES);
  const starts = [...text.matchAll(/(?:const (\w+) = )?create(?:Root)?Route\(/g)];
  const routes = starts.map(({ index, 1: name }, n) => {
    const own = text.slice(index, starts[n + 1]?.index);
    const [, parent] = /getParentRoute: \(\) => (\w+)/.exec(own) ?? [];
    return { name, parent, shows: filesOf(loaded(own), ROUTES) };
  });
  const around = (parent: string | undefined): string[] => {
    const route = routes.find(({ name }) => name === parent);
    return parent && route ? [...route.shows.flatMap(({ topics }) => topics), ...around(route.parent)] : [];
  };
  return routes.flatMap(({ parent, shows }) =>
    shows.map(({ file, topics }) => ({ file, topics: [...topics, ...around(parent)] })),
  );
}

/** All keys of a topic, without their plurals; a permission or an event may look like one. */
const keysOf = (texts: object, before: string): string[] =>
  Object.entries(texts).flatMap(([key, text]: [string, unknown]) =>
    typeof text === "string"
      ? [`${before}.${key.replace(/_(one|many|other)$/, "")}`]
      : keysOf(text as object, `${before}.${key}`),
  );
const KEYS = new Map(
  LATER.map((topic) => [
    topic,
    keysOf(JSON.parse(read(join(import.meta.dirname, "en", `${topic}.json`))) as object, topic),
  ]),
);

/** The later topics that a file names, in a whole key or in the beginning of a template. */
function topicsIn(text: string): string[] {
  const named = [...text.matchAll(/(?<!\bmay\()["'`]((\w+)\.[\w.]+)(["'`]|\$\{)/g)].filter(
    ([, key = "", topic = "", end]) =>
      KEYS.get(topic)?.some((known) =>
        end === "${" ? known.startsWith(key) : known === key || known.startsWith(`${key}.`),
      ),
  );
  return [...new Set(named.map(([, , topic]) => topic ?? ""))];
}

test("a screen names no topic that is not loaded with it", () => {
  const missing = new Set<string>();
  const seen = new Set<string>();
  const follow = ({ file, topics }: Shown) => {
    const there = [...new Set(topics)].sort();
    if (seen.has(`${file} ${there.join(" ")}`) || file.startsWith(import.meta.dirname)) return;
    seen.add(`${file} ${there.join(" ")}`);
    const text = read(file);
    for (const topic of topicsIn(text).filter((topic) => !there.includes(topic)))
      missing.add(`${relative(SOURCES, file)} names ${topic}, with [${there.join(", ")}]`);
    // the screens of the routes are followed on their own, each with its topics
    const named = file === ROUTES ? imported(text) : [...imported(text), ...loaded(text)];
    for (const next of filesOf(named, file)) follow({ file: next.file, topics: [...there, ...next.topics] });
  };
  const found = screens();
  expect(found.length).toBeGreaterThan(15);
  for (const shown of [{ file: join(SOURCES, "main.tsx"), topics: [] }, ...found]) follow(shown);
  expect(seen.size).toBeGreaterThan(150);
  expect([...missing].sort()).toEqual([]);
});
