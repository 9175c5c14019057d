/** What is measured in a browser, and never on the way to main: `npm run measure`. Nothing here fails for being slow. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { expect, stack, test } from "./fixtures";
import { open, theirs, thread, writer } from "./inbox-fixtures";

const SOCKETS = 1_000;
const MESSAGES = 200;

declare global {
  interface Window {
    seen: Record<string, number>;
  }
}

/** The other ends of so many sockets, in a process of their own; answers how they are closed. */
async function listen(count: number): Promise<() => Promise<void>> {
  const { base, state } = stack();
  const { cookies } = JSON.parse(readFileSync(state, "utf8")) as {
    cookies: { name: string; value: string }[];
  };
  const bin = process.env["PALOMA_BIN"] ?? "";
  const url = `${base.replace("http", "ws")}/api/v1/live`;
  const ears = ["bench", "listen", "--url", url, "--count", String(count), "--kind", "none"];
  const child = spawn(join(bin, "paloma"), ears, {
    env: {
      ...process.env,
      PALOMA_BENCH_COOKIE: cookies.map(({ name, value }) => `${name}=${value}`).join("; "),
      PALOMA_BENCH_ORIGIN: base,
    },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise<void>((done) => child.once("exit", () => done()));
  await new Promise<void>((ready, fail) => {
    createInterface(child.stdout).on("line", (line) => line === "READY" && ready());
    child.once("exit", (code) => fail(new Error(`the other ends ended with ${code}`)));
  });
  return async () => {
    child.stdin.end("\n");
    await ended;
  };
}

test("how long it takes until what somebody writes is painted, with a thousand other sockets", async ({
  page,
  api,
}) => {
  test.setTimeout(600_000);
  expect(process.env["PALOMA_BIN"], "PALOMA_BIN says where the release build is").toBeTruthy();
  const close = await listen(SOCKETS);
  const ana = await writer(api, "Ana");
  await open(page, ana);
  await expect(thread(page)).toContainText("Hola");
  await page.evaluate(() => {
    window.seen = {};
    new MutationObserver(() => {
      const said = document.querySelector("[role=log]")?.textContent ?? "";
      const fresh = (said.match(/medida-\d+\./g) ?? []).filter((text) => !(text in window.seen));
      for (const text of fresh) window.seen[text] = 0;
      // the next frame is the one that shows it
      if (fresh.length > 0)
        requestAnimationFrame(() => fresh.forEach((text) => (window.seen[text] = Date.now())));
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
  });
  const took: number[] = [];
  for (let n = 0; n < MESSAGES; n++) {
    const text = `medida-${n}.`;
    const begun = Date.now();
    await theirs.write(ana.address, text);
    // asked again and again, since the policy of the page lets nothing be compiled there
    let seen = 0;
    await expect
      .poll(async () => (seen = await page.evaluate((text) => window.seen[text] ?? 0, text)), {
        intervals: [20],
      })
      .toBeGreaterThan(0);
    took.push(seen - begun);
  }
  await close();
  took.sort((one, other) => one - other);
  const at = (part: number) => took[Math.ceil(took.length * part) - 1];
  console.log(
    JSON.stringify({
      sockets: SOCKETS,
      messages: MESSAGES,
      p50_ms: at(0.5),
      p95_ms: at(0.95),
      max_ms: at(1),
    }),
  );
});
