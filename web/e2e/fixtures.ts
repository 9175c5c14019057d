/** What every browser test has: somebody logged in, a page that may ask nobody but us, and an eye on what it looks like. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import AxeBuilder from "@axe-core/playwright";
import { type APIRequestContext, test as base, type Cookie, expect, type Page } from "@playwright/test";

import type { StackFacts } from "./stack";

export const SCREENSHOTS = fileURLToPath(new URL("../../target/screenshots/", import.meta.url));
const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } } as const;
const LANGUAGES = ["es", "en"] as const;
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

export function stack(): StackFacts {
  const facts = process.env["PALOMA_E2E"];
  if (!facts) throw new Error("the stack is not there: the tests run by `npm run e2e`");
  return JSON.parse(facts) as StackFacts;
}

/** The browser of the tests with nobody logged in: whoever logs in by it is no news to those who are. */
export function loggedOut(): { cookies: Cookie[]; origins: [] } {
  const { cookies } = JSON.parse(readFileSync(stack().state, "utf8")) as { cookies: Cookie[] };
  return { cookies: cookies.filter(({ name }) => name.endsWith("paloma_device")), origins: [] };
}

/** The API as a program would use it, with the session of the tests: for what a story needs before it begins. */
export class Api {
  constructor(private readonly context: APIRequestContext) {}

  async send<Answer = Record<string, unknown>>(
    method: string,
    path: string,
    data?: unknown,
  ): Promise<Answer> {
    const answer = await this.context.fetch(`/api/v1${path}`, {
      method,
      ...(data === undefined ? {} : { data }),
    });
    if (!answer.ok()) throw new Error(`${method} ${path}: ${answer.status()} ${await answer.text()}`);
    return (answer.status() === 204 ? {} : await answer.json()) as Answer;
  }
  get<Answer>(path: string): Promise<Answer> {
    return this.send<Answer>("GET", path);
  }
  post<Answer = { id: string }>(path: string, data: unknown = {}): Promise<Answer> {
    return this.send<Answer>("POST", path, data);
  }
  /** Proves who has the session that the pages share: what is dangerous takes a proof of the last ten minutes, and a run is longer. */
  prove(): Promise<unknown> {
    return this.post("/session/proof", { password: stack().password });
  }
  /** Uploads a file and waits until it is imported. */
  async importCsv(csv: string, name = "contactos.csv"): Promise<string> {
    const made = await this.context.post(`/api/v1/imports?file_name=${name}`, {
      data: Buffer.from(csv),
      headers: { "content-type": "text/csv" },
    });
    expect(made.ok(), await made.text()).toBe(true);
    const { id } = (await made.json()) as { id: string };
    await expect
      .poll(async () => (await this.get<{ state: string }>(`/imports/${id}`)).state, {
        timeout: 60_000,
      })
      .toMatch(/completed|failed/);
    return id;
  }
}

interface Fixtures {
  api: Api;
  /** What the page asked of others, and what the browser complained of; both empty at the end of each test. */
  watched: { foreign: string[]; complaints: string[] };
}

export const test = base.extend<Fixtures>({
  baseURL: async ({}, provide) => provide(stack().base),
  storageState: async ({}, provide) => provide(stack().state),
  api: async ({ playwright }, provide) => {
    const { base: baseURL, state } = stack();
    const context = await playwright.request.newContext({
      baseURL,
      storageState: state,
      extraHTTPHeaders: { origin: baseURL },
    });
    await provide(new Api(context));
    await context.dispose();
  },
  watched: [
    async ({ context }, provide) => {
      const watched = { foreign: [] as string[], complaints: [] as string[] };
      const { host } = new URL(stack().base);
      context.on("request", (request) => {
        const url = new URL(request.url());
        if (!["data:", "blob:"].includes(url.protocol) && url.host !== host) watched.foreign.push(url.href);
      });
      context.on("weberror", (error) => watched.complaints.push(error.error().message));
      context.on("console", (message) => {
        const isComplaint = message.type() === "error" || /Content Security Policy/i.test(message.text());
        // an answer that is no success is written there by the browser; the tests look at what the screen says of it
        if (isComplaint && !/Failed to load resource/.test(message.text()))
          watched.complaints.push(message.text());
      });
      await provide(watched);
      expect(watched.foreign, "nothing is asked of another host").toEqual([]);
      expect(watched.complaints, "the browser has nothing to complain of").toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

/** No rule of WCAG 2.2 AA is broken by what is on the screen. */
export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  const told = violations.map(
    ({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map((node) => node.html).join("\n  ")}`,
  );
  expect(told.join("\n")).toBe("");
}

/** UX-03: nothing on the screen moves, or could. */
export async function expectStill(page: Page): Promise<void> {
  const moving = await page.evaluate(() => {
    const still = (value: string) => value.split(", ").every((part) => Number.parseFloat(part) === 0);
    const found = [...document.querySelectorAll("*")].filter((element) => {
      const style = getComputedStyle(element);
      return style.animationName !== "none" || !still(style.transitionDuration);
    });
    return [
      ...found.map((element) => element.outerHTML.slice(0, 120)),
      ...document.getAnimations().map(String),
    ];
  });
  expect(moving).toEqual([]);
}

/** Nothing on the screen is wider than it. */
async function expectFits(page: Page): Promise<void> {
  const excess = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  expect(excess, "the page does not scroll sideways").toBeLessThanOrEqual(0);
}

/** Looks at a screen in both languages and sizes: keeps pictures, and checks rules that hold for every screen. */
export async function look(page: Page, name: string, ready: (page: Page) => Promise<void>): Promise<void> {
  for (const language of LANGUAGES) {
    await page.evaluate((chosen) => localStorage.setItem("paloma.language", chosen), language);
    for (const [size, viewport] of Object.entries(SIZES)) {
      await page.setViewportSize(viewport);
      await page.reload();
      await ready(page);
      await page.evaluate(() => document.fonts.ready);
      await page.screenshot({ path: `${SCREENSHOTS}${name}.${size}.${language}.png` });
      // its rules see colours, names and structure: once in each size and each language is enough
      if ((language === "es") === (size === "desktop")) await expectAccessible(page);
      await expectStill(page);
      await expectFits(page);
    }
  }
  await page.evaluate(() => localStorage.setItem("paloma.language", "es"));
  await page.setViewportSize(SIZES.desktop);
  await page.reload();
  await ready(page);
}
