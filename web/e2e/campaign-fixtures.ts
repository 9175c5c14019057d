/** What the stories of campaigns begin with. */
import type { Page } from "@playwright/test";

import { type Api, expect, stack } from "./fixtures";

/** A line of a story's own: as fast as the machine, on the simulated gateway. */
export async function fastLine(api: Api, name: string, address: string): Promise<string> {
  const line = {
    name,
    address,
    base_url: stack().sim,
    password: "simulated",
    method: "private_api",
    unlimited: true,
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
