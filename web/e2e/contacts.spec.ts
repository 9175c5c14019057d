import { expect, look, test } from "./fixtures";

test("a contact is made, found, changed, blocked, allowed again and deleted", async ({ page }) => {
  await page.goto("/contacts");
  await expect(page.getByRole("heading", { name: "Contactos" })).toBeVisible();
  await page.keyboard.press("n");
  const panel = page.getByRole("dialog", { name: "Nuevo contacto" });
  await panel.getByLabel("Nombre", { exact: true }).fill("Lucía");
  await panel.getByRole("button", { name: "Guardar" }).click();
  await expect(panel.getByRole("alert")).toHaveText(/necesita un teléfono o un correo/);
  await panel.getByLabel("Teléfono", { exact: true }).fill("llámame");
  await panel.getByRole("button", { name: "Guardar" }).click();
  await expect(panel.getByRole("alert")).toHaveText(/no lleva letras/);
  await panel.getByLabel("Teléfono", { exact: true }).fill("(305) 555-0301");
  await panel.getByLabel("Apellidos").fill("Peña");
  await panel.getByRole("button", { name: "Añadir dato" }).click();
  await panel.getByLabel("Nombre del dato").fill("mascota");
  await panel.getByLabel("Valor").fill("Toby");
  await panel.getByRole("button", { name: "Guardar" }).click();

  const known = page.getByRole("dialog", { name: "Lucía Peña" });
  await expect(known.getByText("+1 305 555 0301")).toBeVisible();
  await expect(known.getByText("Toby")).toBeVisible();
  await known.getByRole("button", { name: "Bloquear envíos" }).click();
  await expect(known.getByText("Bloqueado", { exact: true })).toBeVisible();
  await page.reload();
  await expect(known.getByText("Bloqueado", { exact: true })).toBeVisible();
  await known.getByRole("button", { name: "Permitir otra vez" }).click();
  await expect(known.getByText(/Sí: no ha pedido/)).toBeVisible();

  await known.getByRole("button", { name: "Editar" }).click();
  await known.getByLabel("Apellidos").fill("Peña Ruiz");
  await known.getByRole("button", { name: "Quitar mascota" }).click();
  await known.getByRole("button", { name: "Guardar" }).click();
  const changed = page.getByRole("dialog", { name: "Lucía Peña Ruiz" });
  await expect(changed.getByText("Toby")).toBeHidden();
  await changed.getByRole("button", { name: "Cerrar" }).click();

  // any spelling of the number finds it
  await page.keyboard.press("/");
  await page.keyboard.type("+1 305-555-0301");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/q=/);
  await expect(page.getByRole("button", { name: "Lucía Peña Ruiz" })).toBeVisible();
  await page.getByRole("button", { name: "Lucía Peña Ruiz" }).click();
  await changed.getByRole("button", { name: "Borrar", exact: true }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Borrar", exact: true }).click();
  await expect(page.getByText("Contacto borrado")).toBeVisible();
  await expect(page.getByText("Ningún contacto coincide")).toBeVisible();
});

test("a list of any length is read as far as somebody scrolls, and only what is in sight is on the page", async ({
  page,
  api,
}) => {
  const rows = Array.from({ length: 450 }, (_, n) => `Persona ${n},+1305556${String(n).padStart(4, "0")}`);
  const id = await api.importCsv(`first_name,phone\n${rows.join("\n")}\n`, "largo.csv");
  const asked: string[] = [];
  page.on("request", (request) => request.url().includes("/contacts?") && asked.push(request.url()));
  await page.goto(`/contacts?import=${id}`);
  await expect(page.getByRole("button", { name: "Persona 0", exact: true })).toBeVisible();
  const table = page.getByRole("region", { name: "Contactos" });
  await expect(async () => {
    await table.evaluate((element) => element.scrollTo(0, element.scrollHeight));
    await expect(page.getByRole("button", { name: "Persona 449", exact: true })).toBeVisible({
      timeout: 1000,
    });
  }).toPass();
  expect(await page.getByRole("row").count()).toBeLessThan(80);
  expect(asked.filter((url) => url.includes("cursor=")).length).toBeGreaterThanOrEqual(4);
  await page.getByRole("button", { name: "Quitar filtro: De largo.csv" }).click();
  await expect(page).toHaveURL(/\/contacts$/);
  await page.goto(`/contacts?import=${id}`);
  await look(page, "contacts", (page) =>
    expect(page.getByRole("button", { name: "Persona 0", exact: true })).toBeVisible(),
  );
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog", { name: "Persona 1" })).toBeVisible();
  await look(page, "contact", (page) =>
    expect(
      page
        .getByRole("dialog")
        .getByText(/\+1 305/)
        .first(),
    ).toBeVisible(),
  );
});
