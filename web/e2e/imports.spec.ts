import type { Page } from "@playwright/test";

import { expect, expectAccessible, look, SCREENSHOTS, test } from "./fixtures";

/** Bytes of Windows-1252, where ñ and é are one each. */
const windows = (text: string) => Buffer.from(text, "latin1");

const figure = (page: Page, name: string) => page.locator("dl > div").filter({ hasText: name }).locator("dd");
const choose = (page: Page, name: string, buffer: Buffer) =>
  page.getByLabel(/Elegir (archivo|otro)/).setInputFiles({ name, mimeType: "", buffer });

test("CSV-03: a semicolon, Windows-1252 file is looked at, mapped, tried and imported, and says what it refused", async ({
  page,
  api,
}) => {
  await page.goto("/imports/new");
  const file = windows(
    "Nombre;Teléfono;Interés\r\nJosé Muñoz;(305) 555-0201;moto\r\nIñaki;305 555 0202;casa\r\n;abc;\r\nAna;(305) 555-0201;\r\nBea;;\r\n",
  );
  await choose(page, "clientes.CSV", file);
  // it is the server that has read it
  await expect(page.getByLabel("Codificación")).toHaveValue("windows-1252");
  await expect(page.getByLabel("Separador")).toHaveValue(";");
  await expect(page.getByRole("cell", { name: "José Muñoz" })).toBeVisible();
  await expect(page.getByLabel("Campo de la columna Nombre")).toHaveValue("full_name");
  await expect(page.getByLabel("Campo de la columna Teléfono")).toHaveValue("phone");
  await expect(page.getByText("El teléfono lleva letras")).toBeVisible();
  await expectAccessible(page);
  // the wrong reading is seen before anything is imported
  await page.getByLabel("Codificación").selectOption("macintosh");
  await expect(page.getByRole("cell", { name: "José Muñoz" })).toBeHidden();
  await page.getByLabel("Codificación").selectOption("windows-1252");
  await page.getByLabel("Separador").selectOption(",");
  await expect(page.getByRole("columnheader", { name: /Nombre;Teléfono;Interés/ })).toBeVisible();
  await page.getByLabel("Separador").selectOption(";");
  // the box follows what the server has read
  const header = page.getByLabel("La primera fila tiene los nombres");
  await header.click();
  await expect(header).not.toBeChecked();
  await expect(page.getByRole("cell", { name: "Nombre", exact: true })).toBeVisible();
  await header.click();
  await expect(header).toBeChecked();
  await page.getByLabel("Campo de la columna Interés").selectOption({ label: "Atributo «Interés»" });
  await expect(page.getByText("Elegido aquí")).toHaveCount(1);
  const before = (await api.get<{ items: unknown[] }>("/contacts?text=muñoz")).items.length;
  await page.getByRole("button", { name: "Probar" }).click();
  await expect(page.getByRole("heading", { name: "Qué pasaría" })).toBeVisible();
  await expect(figure(page, "Creados")).toHaveText("2");
  await expect(figure(page, "Con errores")).toHaveText("1");
  const errors = page.getByRole("region", { name: "Primeras filas con problemas" });
  await expect(errors.getByRole("row").filter({ hasText: "abc" })).toContainText(
    "el teléfono contiene letras",
  );
  await expectAccessible(page);
  await page.screenshot({ path: `${SCREENSHOTS}import-trial.desktop.es.png`, fullPage: true });
  await page.getByRole("heading", { name: "Qué pasaría" }).scrollIntoViewIfNeeded();
  await page.screenshot({ path: `${SCREENSHOTS}import-trial-below.desktop.es.png` });
  await page.setViewportSize({ width: 390, height: 844 });
  await expectAccessible(page);
  await page.screenshot({ path: `${SCREENSHOTS}import-trial.phone.es.png` });
  await page.setViewportSize({ width: 1440, height: 900 });
  // nothing of the trial is left, and it says nothing of another mapping
  expect((await api.get<{ items: unknown[] }>("/contacts?text=muñoz")).items).toHaveLength(before);
  await page.getByLabel("Si el contacto ya existe").selectOption({ label: "Omitirlo" });
  await expect(page.getByRole("heading", { name: "Qué pasaría" })).toBeHidden();
  await page.getByLabel("Si el contacto ya existe").selectOption({ label: "Crear otro" });
  await page.getByRole("button", { name: "Importar", exact: true }).click();

  await expect(page.getByRole("heading", { name: "clientes.CSV" })).toBeVisible();
  await expect(page.getByText("Terminada")).toBeVisible();
  await expect(figure(page, "Creados")).toHaveText("2");
  await expect(figure(page, "Repetidas en el archivo")).toHaveText("1");
  await expect(figure(page, "Con errores")).toHaveText("1");
  await expect(figure(page, "Sin teléfono ni correo")).toHaveText("1");
  // what is on the screen is what the server has, and who uploaded it has a name
  await page.reload();
  await expect(figure(page, "Creados")).toHaveText("2");
  const { user } = await api.get<{ user: { name: string } }>("/session");
  await expect(page.getByText(`por ${user.name} (`)).toBeVisible();
  await expect(page.getByRole("row").filter({ hasText: "abc" })).toContainText("4");
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Descargar rechazadas" }).click();
  const stream = await (await download).createReadStream();
  const text = Buffer.concat(await stream.toArray()).toString("utf8");
  expect(text).toContain("abc");
  await look(page, "import", (page) => expect(page.getByRole("table")).toBeVisible());
  const { items } = await api.get<{ items: Record<string, unknown>[] }>("/contacts?text=muñoz");
  expect(items).toContainEqual(
    expect.objectContaining({ first_name: "José", last_name: "Muñoz", attributes: { Interés: "moto" } }),
  );
});

test("another reading is shown at once, and taken back with words where the server refuses it", async ({
  page,
  api,
}) => {
  await page.goto("/imports/new");
  await choose(page, "lento.csv", Buffer.from("Nombre,Tel\nAna,+13055550231\n"));
  const header = page.getByLabel("La primera fila tiene los nombres");
  await expect(header).toBeChecked();
  // the server takes its time
  let answer = () => {};
  const answered = new Promise<void>((done) => (answer = done));
  await page.route("**/imports/*/preview", async (route) => (await answered, route.continue()));
  await header.click();
  await expect(header).not.toBeChecked();
  await expect(page.getByRole("cell", { name: "Nombre", exact: true })).toBeHidden();
  await expect(page.getByRole("button", { name: "Importar", exact: true })).toBeDisabled();
  answer();
  await expect(page.getByRole("cell", { name: "Nombre", exact: true })).toBeVisible();
  await expect(header).not.toBeChecked();
  await page.unrouteAll();
  await page.getByLabel("Separador").selectOption(";");
  await expect(page.getByLabel("Campo de la columna Columna 2")).toBeHidden();
  // somebody else has thrown the file away
  await api.send("DELETE", `/imports/${new URL(page.url()).searchParams.get("held")}`);
  await header.click();
  await expect(page.getByRole("alert")).toHaveText("Esto ya no existe o no es de tu cuenta.");
  await expect(header).not.toBeChecked();
  await page.getByLabel("Codificación").selectOption("macintosh");
  await expect(page.getByLabel("Codificación")).toHaveValue("utf-8");
  await expect(page.getByRole("alert")).toHaveText("Esto ya no existe o no es de tu cuenta.");
});

test("CSV-09: two columns onto one field are refused in words, and so is a file that reaches nobody", async ({
  page,
}) => {
  await page.goto("/imports/new");
  await choose(page, "x.csv", Buffer.from("a,Tel1,Tel2\n1,+13055550221,+13055550222\n"));
  await page.getByLabel("Campo de la columna Tel1").selectOption({ label: "Teléfono" });
  await page.getByLabel("Campo de la columna Tel2").selectOption({ label: "Teléfono" });
  await expect(page.getByRole("alert")).toHaveText(/Dos columnas van al mismo campo/);
  await expect(page.getByRole("button", { name: "Importar", exact: true })).toBeDisabled();
  await page.getByLabel("Campo de la columna Tel2").selectOption({ label: "Segundo teléfono" });
  await expect(page.getByRole("alert")).toBeHidden();
  await expect(page.getByRole("button", { name: "Importar", exact: true })).toBeEnabled();
  // another file is another look
  await choose(page, "y.csv", Buffer.from("a,b\n1,2\n"));
  await expect(page.getByText(/Ninguna columna tiene teléfonos/)).toBeVisible();
  await expect(page.getByRole("button", { name: "Probar" })).toBeDisabled();
  await expect(page.getByText("y.csv")).toBeVisible();
  await page.reload();
  await expect(page.getByText("y.csv")).toBeVisible();
  await choose(page, "nada.csv", Buffer.from(""));
  await expect(page.getByRole("alert")).toHaveText(/El archivo está vacío/);
});

test("the list leads to each import, by the mouse and by keys", async ({ page, api }) => {
  await api.importCsv("first_name,phone\nUna,+13055550211\n", "una.csv");
  await page.goto("/imports");
  await expect(page.getByRole("row").filter({ hasText: "una.csv" })).not.toContainText("user:");
  await look(page, "imports", (page) => expect(page.getByRole("link", { name: "una.csv" })).toBeVisible());
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/imports\/[0-9a-f-]{36}$/);
  await page.goBack();
  await page.keyboard.press("n");
  await expect(page).toHaveURL(/\/imports\/new$/);
  await look(page, "import-new", (page) =>
    expect(page.getByLabel("Elegir archivo").or(page.getByLabel("Choose file"))).toBeAttached(),
  );
});
