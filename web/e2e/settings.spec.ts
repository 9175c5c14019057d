/** The account's own quiet hours. */
import { expect, expectAccessible, look, test } from "./fixtures";

test("stricter hours are added, refused where they are looser, kept and taken away", async ({
  page,
  api,
}) => {
  await page.goto("/contacts");
  await page
    .getByRole("button", { name: /^Menú de/ })
    .first()
    .click();
  await page.getByRole("menuitem", { name: "Ajustes" }).click();
  await page.getByRole("link", { name: "Horas de descanso" }).click();
  await expect(page.getByText("Vale lo de siempre: de 8:00 a 21:00")).toBeVisible();
  await page.getByRole("button", { name: "Añadir regla" }).click();
  await page.getByRole("button", { name: "Añadir regla" }).click();
  const rule = page.getByRole("list", { name: "Horas de descanso" }).getByRole("listitem").nth(1);
  await rule.getByLabel("Dónde").selectOption({ label: "Florida" });
  await rule.getByLabel("Escribir hasta las").fill("19:30");
  await rule.getByLabel("domingo").uncheck();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Guardar" }).click();
  await expect(page.getByText("Guardado: vale desde ahora.")).toBeVisible();
  const kept = { region: "US-FL", days: [1, 2, 3, 4, 5, 6], from: "09:00", until: "19:30" };
  const { items } = await api.get<{ items: unknown[] }>("/quiet-hours");
  expect(items[1]).toEqual(kept);
  await page.reload();
  await expect(rule.getByLabel("Dónde")).toHaveValue("US-FL");
  await look(page, "quiet-hours", (page) => expect(page.getByRole("listitem").first()).toBeVisible());
  for (const day of ["lunes", "martes", "miércoles", "jueves", "viernes", "sábado"]) {
    await rule.getByLabel(day).uncheck();
  }
  await page.getByRole("button", { name: "Guardar" }).click();
  await expect(page.getByText("Cada regla necesita al menos un día", { exact: false })).toBeVisible();
  await rule.getByRole("button", { name: "Quitar regla" }).click();
  await page.getByRole("button", { name: "Quitar regla" }).click();
  await page.getByRole("button", { name: "Guardar" }).click();
  await expect(page.getByText("Vale lo de siempre: de 8:00 a 21:00")).toBeVisible();
  expect((await api.get<{ items: unknown[] }>("/quiet-hours")).items).toEqual([]);
});

test("a colleague's rules are not replaced unseen, and changes are not left behind unasked", async ({
  page,
  api,
}) => {
  const rule = { region: null, days: [1, 2, 3], from: "10:00", until: "19:00" };
  await page.goto("/settings/quiet-hours");
  await page.getByRole("button", { name: "Añadir regla" }).click();
  await api.send("PUT", "/quiet-hours", { items: [rule] });
  await page.getByRole("button", { name: "Guardar" }).click();
  await expect(page.getByText("Alguien cambió estas reglas mientras tanto.", { exact: false })).toBeVisible();
  expect(await api.get("/quiet-hours")).toEqual({ items: [rule] });
  // nothing of one's own is lost unless it is given up
  await page.getByRole("link", { name: "Contactos" }).click();
  const asked = page.getByRole("alertdialog");
  await expect(asked).toContainText("Los cambios de estas reglas no se han guardado.");
  await asked.getByRole("button", { name: "Cancelar" }).click();
  await page.getByRole("button", { name: "Ver las suyas" }).click();
  await expect(page.getByLabel("Escribir desde las")).toHaveValue("10:00");
  await page.getByRole("button", { name: "Quitar regla" }).click();
  await page.getByRole("button", { name: "Guardar" }).click();
  await expect(page.getByText("Vale lo de siempre: de 8:00 a 21:00")).toBeVisible();
  expect(await api.get("/quiet-hours")).toEqual({ items: [] });
});
