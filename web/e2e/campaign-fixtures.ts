/** What the stories of campaigns begin with. */
import type { Page } from "@playwright/test";

import { type Api, expect, stack } from "./fixtures";

// another worker begins after the failure of a story, with the lines of the one before it still there
let last = Math.floor(Date.now() / 100) % 10_000;

/** A line of a story's own, on the simulated gateway; as fast as the machine unless `limits` say otherwise. */
export async function lineOf(api: Api, name: string, limits: object = { unlimited: true }): Promise<string> {
  last = (last + 1) % 10_000;
  const line = {
    name,
    address: `+1555001${String(last).padStart(4, "0")}`,
    base_url: stack().sim,
    password: "simulated",
    method: "private_api",
    ...limits,
  };
  return (await api.post("/lines", line)).id;
}

/** Contacts of an import: numbers in a row from a place that no other story has. */
export async function people(api: Api, file: string, from: number, count: number): Promise<string> {
  const rows = Array.from(
    { length: count },
    (_, n) => `Nombre ${n},+1305557${String(from + n).padStart(4, "0")}`,
  );
  return api.importCsv(`first_name,phone\n${rows.join("\n")}\n`, file);
}

export const next = (page: Page) => page.getByRole("button", { name: "Siguiente" }).click();

/** Another step of the wizard; in either language. */
export const step = (page: Page, place: 1 | 2 | 3 | 4) =>
  page
    .getByRole("navigation", { name: /Pasos|Steps/ })
    .getByRole("button")
    .nth(place - 1)
    .click();

export const isSaved = (page: Page) =>
  expect(page.getByRole("status").filter({ hasText: /Borrador guardado|Draft saved/ })).toBeVisible();

/** Goes to a control by the Tab key alone. */
export async function tabTo(page: Page, label: string | RegExp, role?: "button"): Promise<void> {
  const wanted = role
    ? page.getByRole(role, { name: label, exact: true })
    : page.getByLabel(label, { exact: true });
  for (let steps = 0; steps < 80; steps++) {
    if (await wanted.evaluate((element) => element === document.activeElement)) break;
    await page.keyboard.press("Tab");
  }
  await expect(wanted).toBeFocused();
}
