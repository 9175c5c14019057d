import type { Page } from "@playwright/test";

import { type Api, expect, expectAccessible, look, SCREENSHOTS, test } from "./fixtures";

const chosen = (page: Page) => page.getByRole("region", { name: "Elegidos" });
const strip = (page: Page) => page.getByRole("region", { name: "Cambios de muchos" });
const row = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

/** People of this test's own; their import is their filter. */
async function people(api: Api, file: string, from: number, count: number): Promise<string> {
  const rows = Array.from({ length: count }, (_, n) => `Gente ${from + n},+1305${5_580_000 + from + n}`);
  return api.importCsv(`first_name,phone\n${rows.join("\n")}\n`, file);
}

async function labelOf(api: Api, name: string): Promise<string> {
  const { items } = await api.get<{ items: { id: string; name: string }[] }>("/contact-labels");
  return items.find((label) => label.name === name)?.id ?? "";
}

/** How many have a label, as the server counts them. */
async function labelled(api: Api, label: string): Promise<number> {
  const body = { filter: { label_ids: [label] } };
  return (await api.post<{ selected: number }>("/campaigns/audience", body)).selected;
}

test("filters narrow the list, stand in the address, and are taken away one by one", async ({
  page,
  api,
}) => {
  // before they are made, so that midnight can't come between
  const today = new Intl.DateTimeFormat("en-CA", { timeZone: "America/New_York" }).format(new Date());
  const id = await people(api, "filtros.csv", 0, 3);
  const label = await api.post("/contact-labels", { name: "Filtrables" });
  const nobody = await api.post("/contacts", {
    first_name: "Sin",
    last_name: "Número",
    email: "sin@example.com",
  });
  await api.send("PUT", `/contacts/${nobody.id}/labels/${label.id}`);
  await api.post("/suppressions", { address: "+13055580001", reason: "blacklisted" });
  await page.goto("/contacts");
  await page.getByRole("searchbox").fill("gen");
  await expect(page).toHaveURL(/q=gen/);
  await expect(row(page, "Gente 0")).toBeVisible();
  await expect(row(page, "Sin Número")).toBeHidden();
  await page.getByRole("searchbox").fill("");
  await expect(page).not.toHaveURL(/q=/);
  await page.getByRole("button", { name: "Filtros" }).click();
  await page.getByLabel("Etiqueta", { exact: true }).selectOption({ label: "Filtrables" });
  await page.getByLabel("Teléfono", { exact: true }).selectOption({ label: "Sin teléfono" });
  await expect(page).toHaveURL(new RegExp(`label=${label.id}&phone=no`));
  await expect(row(page, "Sin Número")).toBeVisible();
  await expect(page.getByRole("row")).toHaveCount(2);
  await page.getByRole("button", { name: "Quitar filtro: Sin teléfono" }).click();
  await page.getByRole("button", { name: "Quitar filtro: Etiqueta: Filtrables" }).click();
  await expect(page).toHaveURL(/\/contacts$/);
  await page.getByLabel("Importación").selectOption(id);
  await page.getByLabel("Envíos").selectOption({ label: "No se les puede escribir" });
  await expect(row(page, "Gente 1")).toBeVisible();
  await expect(page.getByRole("row")).toHaveCount(2);
  // whoever is sent the address sees the same
  await page.reload();
  await expect(page.getByRole("row")).toHaveCount(2);
  await page.getByRole("button", { name: /^Filtros/ }).click();
  await page.getByLabel("Envíos").selectOption({ label: "Cualquiera" });
  await page.getByLabel("Creado desde").fill(today);
  await expect(page).toHaveURL(new RegExp(`from=${today}`));
  await expect(page.getByRole("row")).toHaveCount(4);
  await page.getByLabel("Creado hasta").fill("2020-01-31");
  await expect(page.getByText("Ningún contacto coincide")).toBeVisible();
  await expectAccessible(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.screenshot({ path: `${SCREENSHOTS}contacts-filters.phone.es.png` });
  await expectAccessible(page);
  await page.getByRole("button", { name: "Quitar todo" }).click();
  await expect(page).toHaveURL(/\/contacts$/);
});

test("those that were chosen are labelled, exported and deleted; who has a confirmed household stays", async ({
  page,
  api,
}) => {
  const id = await people(api, "elegidos.csv", 100, 6);
  const { items } = await api.get<{ items: { id: string; first_name: string }[] }>(
    `/contacts?import_id=${id}`,
  );
  const kept = items.find(({ first_name }) => first_name === "Gente 104");
  await api.post(`/contacts/${kept?.id}/household`, { name: "Hija", is_confirmed: true });
  await page.goto(`/contacts?import=${id}`);
  await page.getByRole("checkbox", { name: "Elegir Gente 100" }).check();
  await page.getByRole("checkbox", { name: "Elegir Gente 102" }).click({ modifiers: ["Shift"] });
  await expect(chosen(page).getByRole("status")).toHaveText(/^\d elegidos$/);
  await page.getByRole("button", { name: "No elegir ninguno" }).click();
  await expect(chosen(page)).toBeHidden();
  for (const name of ["Gente 103", "Gente 104"]) {
    await page.getByRole("checkbox", { name: `Elegir ${name}` }).check();
  }
  await expect(chosen(page).getByRole("status")).toHaveText("2 elegidos");
  await look(page, "contacts-label-picker", async (page) => {
    await page.getByRole("checkbox", { name: /Gente 103/ }).check();
    await chosen(page)
      .or(page.getByRole("region", { name: "Chosen" }))
      .getByRole("button", { name: /^(Etiquetar|Label)$/ })
      .click();
    await page.getByRole("combobox").fill("Vecinos");
    await expect(page.getByRole("option", { name: /Vecinos/ })).toBeVisible();
  });
  await page.keyboard.press("Escape");
  await page.getByRole("checkbox", { name: "Elegir Gente 104" }).check();
  await chosen(page).getByRole("button", { name: "Etiquetar", exact: true }).click();
  await page.getByRole("combobox").fill("Vecinos");
  await page.keyboard.press("Enter");
  await expect(strip(page)).toContainText("Etiquetar: Vecinos");
  await expect(strip(page)).toContainText("Cambiados: 2");
  await expect(page.getByRole("row").filter({ hasText: "Vecinos" })).toHaveCount(2);
  await expect(chosen(page)).toBeHidden();

  // all that match, without having seen them all
  await page.getByRole("checkbox", { name: "Elegir todas las filas" }).check();
  await chosen(page).getByRole("button", { name: "Exportar" }).click();
  await expect(strip(page)).toContainText("Exportados: 6");
  const download = page.waitForEvent("download");
  await strip(page).getByRole("link", { name: "Descargar CSV" }).click();
  const text = Buffer.concat(await (await (await download).createReadStream()).toArray()).toString("utf8");
  expect(text.trim().split(/\r?\n/)).toHaveLength(7);
  expect(text).toContain("+13055580104");
  await page.getByRole("checkbox", { name: "Elegir todas las filas" }).check();
  await chosen(page).getByRole("button", { name: "Quitar etiqueta" }).click();
  await page.getByRole("option", { name: "Vecinos" }).click();
  await expect(strip(page)).toContainText("Quitar etiqueta: Vecinos");
  await expect(strip(page)).toContainText("Cambiados: 2");
  await page.getByRole("checkbox", { name: "Elegir todas las filas" }).check();
  await chosen(page).getByRole("button", { name: "Borrar", exact: true }).click();
  await expect(page.getByRole("alertdialog")).toContainText("¿Borrar 6 contactos?");
  await page.getByRole("alertdialog").getByRole("button", { name: "Borrar", exact: true }).click();
  await expect(strip(page)).toContainText("Borrados: 5");
  await expect(strip(page)).toContainText("confirmado en su hogar: 1");
  await expect(page.getByRole("row")).toHaveCount(2);
  await expect(row(page, "Gente 104")).toBeVisible();
  await page.screenshot({ path: `${SCREENSHOTS}contacts-deleted.desktop.es.png` });
  await strip(page).getByRole("button", { name: "Ver todos" }).click();
  const list = page.getByRole("dialog", { name: "Cambios de muchos" });
  await expect(list.getByText("Exportados: 6")).toBeVisible();
  await expect(list.getByText(/por /).first()).not.toContainText(/user:/);
  await expectAccessible(page);
  await page.screenshot({ path: `${SCREENSHOTS}contacts-bulks.desktop.es.png` });
});

test("all that match are more than are on the screen: it is said how many, and the change is watched to its end", async ({
  page,
  api,
}) => {
  const id = await people(api, "muchos.csv", 1000, 3500);
  await page.goto(`/contacts?import=${id}`);
  await page.getByRole("checkbox", { name: "Elegir todas las filas" }).check();
  await chosen(page).getByRole("button", { name: "Elegir todos los que coinciden" }).click();
  await expect(chosen(page).getByRole("status")).toHaveText("Todos los que coinciden: 3500");
  await expectAccessible(page);
  await page.screenshot({ path: `${SCREENSHOTS}contacts-all.desktop.es.png` });
  await chosen(page).getByRole("button", { name: "Etiquetar", exact: true }).click();
  await page.getByRole("combobox").fill("Todos");
  await page.keyboard.press("Enter");
  await expect(strip(page)).toContainText("Cambiados: 3500");
  const label = await labelOf(api, "Todos");
  expect(await labelled(api, label)).toBe(3500);
  // one that is not loaded yet is among them
  await page.goto(`/contacts?import=${id}&label=${label}&q=Gente 4499`);
  await expect(row(page, "Gente 4499")).toBeVisible();
  await page.goto(`/contacts?import=${id}`);
  await page.getByRole("checkbox", { name: "Elegir todas las filas" }).check();
  await chosen(page).getByRole("button", { name: "Elegir todos los que coinciden" }).click();
  await chosen(page).getByRole("button", { name: "Borrar", exact: true }).click();
  const asked = page.getByRole("alertdialog");
  await expect(asked).toContainText("¿Borrar 3500 contactos?");
  await expectAccessible(page);
  await page.screenshot({ path: `${SCREENSHOTS}contacts-delete-all.desktop.es.png` });
  // nothing is done by whoever does not say so
  await page.keyboard.press("Escape");
  await expect(asked).toBeHidden();
  await expect(chosen(page)).toBeVisible();
  await chosen(page).getByRole("button", { name: "Borrar", exact: true }).click();
  await asked.getByRole("button", { name: "Borrar", exact: true }).click();
  await expect(strip(page)).toContainText("Borrados: 3500");
  await expect(page.getByText("Ningún contacto coincide")).toBeVisible();
});

test("a change of many is stopped in the middle, and what is done stays done", async ({ page, api }) => {
  const total = 40_000;
  const id = await people(api, "muchisimos.csv", 10_000, total);
  await page.goto(`/contacts?import=${id}`);
  await page.getByRole("checkbox", { name: "Elegir todas las filas" }).check();
  await chosen(page).getByRole("button", { name: "Elegir todos los que coinciden" }).click();
  await chosen(page).getByRole("button", { name: "Etiquetar", exact: true }).click();
  await page.getByRole("combobox").fill("A medias");
  await page.keyboard.press("Enter");
  await expect(strip(page).getByRole("progressbar")).toBeVisible();
  // it lasts a second or two: looked at more often than `expect` does by itself
  await expect
    .poll(() => strip(page).getByRole("status").textContent(), { intervals: [25] })
    .toMatch(/^[1-9][\d.]* de 40\.000$/);
  await strip(page).getByRole("button", { name: "Detener" }).click();
  await expect(strip(page)).toContainText("Cancelado");
  const bulk = new URL(page.url()).searchParams.get("bulk") ?? "";
  const { state, done_count } = await api.get<{ state: string; done_count: number }>(
    `/contacts/bulk/${bulk}`,
  );
  expect(state).toBe("cancelled");
  expect(done_count).toBeGreaterThan(0);
  expect(done_count).toBeLessThan(total);
  expect(await labelled(api, await labelOf(api, "A medias"))).toBe(done_count);
  await page.screenshot({ path: `${SCREENSHOTS}contacts-stopped.desktop.es.png` });
});

test("by keys alone: rows are chosen and labelled", async ({ page, api }) => {
  const id = await people(api, "teclado.csv", 200, 3);
  await api.post("/contact-labels", { name: "Teclado" });
  await page.goto(`/contacts?import=${id}`);
  await expect(page.getByRole("row")).toHaveCount(4);
  for (const key of ["j", "x", "j", "x"]) await page.keyboard.press(key);
  await expect(chosen(page).getByRole("status")).toHaveText("2 elegidos");
  const button = chosen(page).getByRole("button", { name: "Etiquetar", exact: true });
  await button.focus();
  await page.keyboard.press("Enter");
  await page.keyboard.type("tecl");
  await page.keyboard.press("Enter");
  await expect(strip(page)).toContainText("Cambiados: 2");
});
