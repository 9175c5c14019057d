/** Organizations: what they inherit and what they set of their own, which lines are of them, and secrets that nobody sees again. */
import { type Api, expect, expectAccessible, look, test } from "./fixtures";

test.beforeEach(({ api }) => api.prove());

const made = (api: Api, name: string) => api.post("/organizations", { name });

interface Setting {
  key: string;
  holds: { value: unknown; source: string; is_some: boolean };
}
async function held(api: Api, path: string, key: string) {
  const { items } = await api.get<{ items: Setting[] }>(path);
  return items.find((setting) => setting.key === key)?.holds;
}

test("an organization sets its own in place of the account's, empties it, goes without, and inherits again", async ({
  page,
  api,
}) => {
  const name = `Norte ${Date.now()}`;
  await api.send("PATCH", "/settings", { set: { "brand.name": "Acme" } });
  await page.goto("/settings/security");
  await page.getByRole("link", { name: "Organizaciones" }).click();
  await page.getByRole("button", { name: "Nueva organización" }).first().click();
  const form = page.getByRole("dialog", { name: "Nueva organización" });
  await form.getByLabel("Nombre").fill(name);
  await form.getByRole("button", { name: "Guardar" }).click();
  await expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();
  const { searchParams } = new URL(page.url());
  const path = `/organizations/${searchParams.get("organization")}/settings`;

  const brand = page.getByRole("listitem").filter({ has: page.getByLabel("Nombre de la marca") });
  const field = brand.getByLabel("Nombre de la marca");
  await expect(field).toHaveValue("Acme");
  await expect(brand).toContainText("De la cuenta");
  const save = async () => {
    await page.getByRole("button", { name: "Guardar" }).click();
    await expect(brand.getByText("Sin guardar")).toHaveCount(0);
    return held(api, path, "brand.name");
  };
  await field.fill("Norte");
  await expect(brand).toContainText("Propio");
  await expect(brand).toContainText("Sin él hereda: Acme");
  expect(await save()).toMatchObject({ value: "Norte", source: "organization" });
  await field.fill("");
  await expect(brand).toContainText("Vacío, a propósito");
  expect(await save()).toMatchObject({ value: "", source: "organization" });
  await brand.getByRole("button", { name: "Sin valor: Nombre de la marca" }).click();
  await expect(brand).toContainText("Sin valor, a propósito");
  await expectAccessible(page);
  expect(await save()).toMatchObject({ value: null, source: "organization", is_some: false });
  // by keys alone
  await brand.getByRole("button", { name: "Heredar: Nombre de la marca" }).focus();
  await page.keyboard.press("Enter");
  expect(await save()).toMatchObject({ value: "Acme", source: "tenant" });
  await expect(field).toHaveValue("Acme");

  await page.getByRole("button", { name: "Añadir horas" }).click();
  await page.getByLabel("viernes").uncheck();
  await page.getByLabel("Color (#1a2b3c)").fill("rojo");
  await page.getByRole("button", { name: "Guardar" }).click();
  await expect(page.getByRole("alert")).toContainText("Escribe un color como # y seis cifras");
  await expect(page.getByLabel("Color (#1a2b3c)")).toHaveAttribute("aria-invalid", "true");
  await page.getByLabel("Color (#1a2b3c)").fill("#AABBCC");
  await page.getByRole("button", { name: "Guardar" }).click();
  await expect(page.getByText("Sin guardar")).toHaveCount(0);
  expect(await held(api, path, "brand.color")).toMatchObject({ value: "#aabbcc" });
  const hours = [{ days: [1, 2, 3, 4], from: "09:00", until: "18:00" }];
  expect(await held(api, path, "hours.weekly")).toMatchObject({ value: hours });
  await look(page, "organization", (page) => expect(page.getByRole("textbox").first()).toBeVisible());

  // nobody loses what is not saved without a word
  await field.fill("Otra");
  await page.getByRole("link", { name: "Equipo" }).click();
  await expect(page.getByRole("alertdialog")).toContainText("no se han guardado");
  await page.getByRole("alertdialog").getByRole("button", { name: "Salir sin guardar" }).click();
  await expect(page.getByRole("heading", { name: "Equipo", level: 1 })).toBeVisible();
});

test("a secret is written, said to be there, replaced and taken away, and never shown", async ({
  page,
  api,
}) => {
  await page.goto("/settings/general");
  const row = page.getByRole("listitem").filter({ has: page.getByLabel("Clave del servicio de IA") });
  const field = row.getByLabel("Clave del servicio de IA");
  await expect(row).toContainText("No está puesta");
  await field.fill("canary-sk-1");
  await page.getByRole("button", { name: "Guardar" }).click();
  await expect(row).toContainText("Puesta el");
  await expect(field).toHaveValue("");
  await page.reload();
  await expect(row).toContainText("Puesta el");
  expect(await page.content()).not.toContain("canary-sk");
  expect(await held(api, "/settings", "ai.api_key")).toMatchObject({ value: null, is_some: true });
  await look(page, "settings-general", (page) => expect(page.getByRole("textbox").first()).toBeVisible());
  await row.getByRole("button", { name: "Quitar: Clave del servicio de IA" }).click();
  await page.getByRole("button", { name: "Guardar" }).click();
  await expect(row).toContainText("No está puesta");
  expect(await held(api, "/settings", "ai.api_key")).toMatchObject({ is_some: false, source: "default" });
});

test("what a colleague has changed meanwhile is not replaced unseen", async ({ page, api }) => {
  await page.goto("/settings/general");
  const color = page.getByLabel("Color (#1a2b3c)");
  await color.fill("#111111");
  await api.send("PATCH", "/settings", { set: { "brand.color": "#222222" } });
  await page.getByRole("button", { name: "Guardar" }).click();
  await expect(page.getByRole("alert")).toContainText("Alguien cambió estos ajustes mientras tanto.");
  expect(await held(api, "/settings", "brand.color")).toMatchObject({ value: "#222222" });
  await page.getByRole("button", { name: "Guardar los míos igualmente" }).click();
  await expect(page.getByRole("alert")).toHaveCount(0);
  expect(await held(api, "/settings", "brand.color")).toMatchObject({ value: "#111111" });
  await color.fill("#333333");
  await api.send("PATCH", "/settings", { set: { "brand.color": "#444444" } });
  await page.getByRole("button", { name: "Guardar" }).click();
  await page.getByRole("button", { name: "Ver los suyos" }).click();
  await expect(color).toHaveValue("#444444");
  await api.send("PATCH", "/settings", { unset: ["brand.color", "brand.name"] });
});

test("a line is given to an organization, which can't be removed until it has none", async ({
  page,
  api,
}) => {
  const name = `Sur ${Date.now()}`;
  const { id } = await made(api, name);
  const { items } = await api.get<{ items: { id: string; name: string }[] }>("/lines");
  const [line] = items;
  if (!line) throw new Error("the stack has a line");
  await page.goto("/settings/lines");
  await look(page, "lines", (page) => expect(page.getByRole("row").nth(1)).toBeVisible());
  const chosen = page.getByLabel(`Organización de ${line.name}`, { exact: true }).first();
  await chosen.selectOption(name);
  await expect(page.getByText("La línea ha cambiado: vale desde ahora").first()).toBeVisible();
  await page.getByLabel("Líneas de").selectOption(name);
  await expect(page.getByRole("row")).toHaveCount(2);
  await page.getByRole("link", { name: "Organizaciones" }).click();
  const row = page.getByRole("row").filter({ hasText: name });
  await look(page, "organizations", (page) => expect(page.getByRole("row").nth(1)).toBeVisible());
  await row.getByRole("button", { name: `Acciones de ${name}` }).click();
  await expect(page.getByRole("menuitem", { name: "Eliminar" })).toBeDisabled();
  await page.keyboard.press("Escape");
  const { items: own } = await api.get<{ items: { id: string }[] }>(`/lines?organization_id=${id}`);
  for (const { id } of own) await api.send("PATCH", `/lines/${id}`, { organization_id: null });
  await page.reload();
  await row.getByRole("button", { name: `Acciones de ${name}` }).click();
  await page.getByRole("menuitem", { name: "Eliminar" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Eliminar" }).click();
  await expect(row).toHaveCount(0);
});
