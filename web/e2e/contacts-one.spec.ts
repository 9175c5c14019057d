import { expect, expectAccessible, look, SCREENSHOTS, test } from "./fixtures";

test("labels are made, put on, renamed, taken off and deleted", async ({ page, api }) => {
  const contact = await api.post("/contacts", { first_name: "Elena", phone: "+13055559001" });
  await page.goto(`/contacts?q=Elena&contact=${contact.id}`);
  const panel = page.getByRole("dialog", { name: "Elena" });
  await panel.getByRole("button", { name: "Añadir etiqueta" }).click();
  await page.getByRole("combobox").fill("Cliente fiel");
  await page.getByRole("option", { name: "Crear «Cliente fiel»" }).click();
  await expect(panel.getByText("Cliente fiel")).toBeVisible();
  await panel.getByRole("button", { name: "Cerrar" }).click();
  await expect(page.getByRole("row").filter({ hasText: "Elena" })).toContainText("Cliente fiel");

  await page.getByRole("button", { name: "Más", exact: true }).click();
  await page.getByRole("menuitem", { name: "Gestionar etiquetas" }).click();
  const labels = page.getByRole("dialog", { name: "Gestionar etiquetas" });
  await labels.getByLabel("Nueva etiqueta").fill("cliente FIEL");
  await labels.getByRole("button", { name: "Crear" }).click();
  await expect(labels.getByRole("alert")).toHaveText(/Ya hay una etiqueta con ese nombre/);
  await labels.getByLabel("Nueva etiqueta").fill("Proveedor");
  await labels.getByRole("button", { name: "Crear" }).click();
  await expect(labels.getByRole("listitem").filter({ hasText: "Proveedor" })).toBeVisible();
  await page.mouse.move(5, 5);
  await expectAccessible(page);
  await page.screenshot({ path: `${SCREENSHOTS}contact-labels.desktop.es.png` });
  await labels.getByRole("button", { name: "Cambiar el nombre de Cliente fiel" }).click();
  await labels.getByLabel("Nombre de la etiqueta").fill("Cliente de oro");
  await labels.getByRole("button", { name: "Guardar" }).click();
  await expect(labels.getByText("Cliente de oro")).toBeVisible();
  await labels.getByRole("button", { name: "Borrar la etiqueta Proveedor" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Borrar", exact: true }).click();
  await expect(labels.getByText("Proveedor")).toBeHidden();
  await labels.getByRole("button", { name: "Cerrar" }).click();
  await expect(page.getByRole("row").filter({ hasText: "Elena" })).toContainText("Cliente de oro");
  await page.getByRole("button", { name: "Elena", exact: true }).click();
  await panel.getByRole("button", { name: "Quitar la etiqueta Cliente de oro" }).click();
  await expect(panel.getByText("Cliente de oro")).toBeHidden();
  await expect
    .poll(async () => (await api.get<{ label_ids: string[] }>(`/contacts/${contact.id}`)).label_ids)
    .toEqual([]);
});

test("a household is written down, confirmed, changed, and confirmed ones are asked about before they go", async ({
  page,
  api,
}) => {
  const contact = await api.post("/contacts", { first_name: "Marta", phone: "+13055559002" });
  await api.post(`/contacts/${contact.id}/household`, { name: "Pau", relation: "hijo" });
  await page.goto(`/contacts?contact=${contact.id}`);
  const home = page.getByRole("region", { name: "Hogar" });
  await expect(home).toContainText("ninguna importación lo cambia ni lo quita");
  await expect(home.getByRole("listitem").filter({ hasText: "Pau" })).toContainText("Sin confirmar");
  await home.getByRole("button", { name: "Confirmar a Pau" }).click();
  await expect(home.getByRole("listitem").filter({ hasText: "Pau" })).not.toContainText("Sin confirmar");
  await home.getByRole("button", { name: "Añadir persona" }).click();
  await home.getByLabel("Nombre").fill("PAU");
  await home.getByRole("button", { name: "Guardar" }).click();
  await expect(home.getByRole("alert")).toHaveText(/Ya hay alguien con ese nombre/);
  await home.getByLabel("Nombre").fill("Nil");
  await home.getByLabel("Relación").fill("pareja");
  await home.getByRole("button", { name: "Guardar" }).click();
  await expect(home.getByRole("listitem").filter({ hasText: "Nil" })).toContainText("pareja");
  await home.getByRole("button", { name: "Editar a Nil" }).click();
  await home.getByLabel("Relación").fill("marido");
  await home.getByRole("button", { name: "Guardar" }).click();
  await expect(home.getByRole("listitem").filter({ hasText: "Nil" })).toContainText("marido");
  await look(page, "contact-household", (page) =>
    expect(page.getByRole("button", { name: /Editar a Nil|Edit Nil/ })).toBeVisible(),
  );
  await home.getByRole("button", { name: "Quitar a Nil" }).click();
  await expect(page.getByRole("alertdialog")).toContainText("Lo ha confirmado una persona");
  await page.getByRole("alertdialog").getByRole("button", { name: "Quitar" }).click();
  await expect(home.getByRole("listitem")).toHaveCount(1);
  expect(await api.get(`/contacts/${contact.id}/household`)).toMatchObject({
    items: [{ name: "Pau", relation: "hijo", is_confirmed: true }],
  });
});

test("two that are one person are found, looked at side by side and merged, and it stays on record", async ({
  page,
  api,
}) => {
  const label = await api.post("/contact-labels", { name: "De Anita" });
  const kept = await api.post("/contacts", {
    first_name: "Ana",
    last_name: "Fusión",
    phone: "+13055559010",
    city: "Miami",
  });
  const gone = await api.post("/contacts", {
    first_name: "Anita",
    last_name: "Fusión",
    phone: "+13055559011",
    email: "anita@example.com",
    attributes: { mascota: "Toby" },
  });
  await api.send("PUT", `/contacts/${gone.id}/labels/${label.id}`);
  await page.goto(`/contacts?contact=${kept.id}`);
  const panel = page.getByRole("dialog", { name: "Ana Fusión" });
  await panel.getByRole("button", { name: "Fusionar" }).click();
  const dialog = page.getByRole("dialog", { name: "Fusionar contactos" });
  // found by what somebody types, by keys alone; itself is not offered
  await expect(dialog.getByRole("combobox")).toBeFocused();
  await page.keyboard.type("fusi");
  await expect(dialog.getByRole("option")).toHaveCount(1);
  await page.keyboard.press("Escape");
  await expect(dialog.getByRole("option")).toHaveCount(0);
  await expect(dialog).toBeVisible();
  await page.keyboard.type("ó");
  await expect(dialog.getByRole("option", { name: /Anita/ })).toBeVisible();
  await page.keyboard.press("Enter");
  const line = (name: string) => dialog.getByRole("row", { name: new RegExp(`^${name}`) });
  await expect(line("Nombre")).toContainText("Ana(queda)Anita(se pierde)");
  await expect(line("Correo")).toContainText("anita@example.com(queda)");
  await expect(line("Teléfonos")).toContainText("(queda)+1 305 555 9011(queda)");
  await expectAccessible(page);
  await page.screenshot({ path: `${SCREENSHOTS}contact-merge.desktop.es.png` });
  await page.setViewportSize({ width: 390, height: 844 });
  await expectAccessible(page);
  await page.screenshot({ path: `${SCREENSHOTS}contact-merge.phone.es.png` });
  await page.setViewportSize({ width: 1440, height: 900 });
  await dialog.getByRole("button", { name: "Intercambiar" }).click();
  await expect(line("Nombre")).toContainText("Anita(queda)Ana(se pierde)");
  await dialog.getByRole("button", { name: "Intercambiar" }).click();
  await dialog.getByRole("button", { name: "Fusionar" }).click();
  await expect(page.getByRole("alertdialog")).toContainText("Anita Fusión deja de existir");
  await page.getByRole("alertdialog").getByRole("button", { name: "Fusionar" }).click();
  await expect(page.getByText("Contactos fusionados")).toBeVisible();
  await expect(panel.getByRole("definition").filter({ hasText: "anita@example.com" })).toBeVisible();
  await expect(panel.getByText("De Anita")).toBeVisible();
  const history = panel.getByRole("region", { name: "Fusiones" });
  await history.getByText("Anita Fusión").click();
  await expect(history.getByText("+1 305 555 9011")).toBeVisible();
  await look(page, "contact-merged", (page) => expect(page.getByText(/Anita Fusión/)).toBeVisible());
  expect(await api.get(`/contacts/${kept.id}`)).toMatchObject({
    first_name: "Ana",
    phone: "+13055559010",
    second_phone: "+13055559011",
    email: "anita@example.com",
    attributes: { mascota: "Toby" },
    label_ids: [label.id],
  });
  await expect(api.get(`/contacts/${gone.id}`)).rejects.toThrow(/404/);
});

test("whoever looks at a contact is one press away from writing to them", async ({ page, api }) => {
  const phone = "+13055560190";
  const { id } = await api.post("/contacts", { first_name: "Nora", last_name: "Vega", phone });
  await page.goto(`/contacts?contact=${id}`);
  await page.getByRole("dialog").getByRole("button", { name: "Escribir" }).click();
  // by which line is asked where there are several
  const asked = page.getByRole("option").first();
  const opened = page.getByRole("textbox", { name: "Respuesta al contacto" });
  await expect(asked.or(opened)).toBeVisible();
  if (await asked.isVisible()) await asked.click();
  await expect(opened).toBeVisible();
  await expect(page).toHaveURL(/\/inbox\?conversation=/);
  await expect(page.getByRole("region", { name: "Conversación abierta" })).toContainText("Nora Vega");
});
