/** Roles of the account's own: made from one that is there, given, changed and taken away. */
import { expect, expectAccessible, look, test } from "./fixtures";

test.beforeEach(({ api }) => api.prove());

test("a role is made from another one, given to somebody, narrowed, and removed once nobody has it", async ({
  page,
  api,
}) => {
  const name = `Recepción ${Date.now()}`;
  const email = `recepcion.${Date.now()}@example.com`;
  await page.goto("/settings/roles");
  await look(page, "roles", (page) => expect(page.getByRole("row").nth(7)).toBeVisible());
  await page.getByRole("button", { name: "Acciones de Agente" }).click();
  await page.getByRole("menuitem", { name: "Crear otro a partir de él" }).click();
  const field = page.getByLabel("Nombre");
  await expect(field).toHaveValue("Copia de Agente");
  await expect(page.getByRole("checkbox", { name: "Escribir a las personas" })).toBeChecked();
  await expect(page.getByLabel("Ver facturas")).not.toBeChecked();
  await field.fill(name);
  await page.getByLabel("Ver facturas").check();
  await expectAccessible(page);
  // nobody loses what is not saved without a word
  await page.getByRole("link", { name: "Personas" }).click();
  await expect(page.getByRole("alertdialog")).toContainText("aún no están guardados");
  await page.getByRole("alertdialog").getByRole("button", { name: "Cancelar" }).click();
  await page.getByRole("button", { name: "Guardar" }).click();
  const row = page.getByRole("row").filter({ hasText: name });
  await expect(row).toBeVisible();

  await page.getByRole("link", { name: "Personas" }).click();
  await page.getByRole("button", { name: "Invitar" }).click();
  const form = page.getByRole("dialog", { name: "Invitar" });
  await form.getByLabel("Nombre").fill("Rita");
  await form.getByLabel("Correo electrónico").fill(email);
  await form.getByLabel("Rol").selectOption(name);
  await form.getByRole("button", { name: "Crear el enlace" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cerrar" }).first().click();
  await expect(page.getByRole("row").filter({ hasText: email })).toContainText(name);

  await page.goto("/settings/roles");
  await row.getByRole("button", { name, exact: true }).click();
  await expect(page.getByText("Lo tiene 1 persona")).toBeVisible();
  await page.getByRole("checkbox", { name: "Escribir a las personas" }).uncheck();
  await page.getByRole("button", { name: "Guardar" }).click();
  await expect(row).toBeVisible();
  const { items } = await api.get<{ items: { name: string; permissions: string[] }[] }>("/roles?limit=200");
  const kept = items.find((role) => role.name === name)?.permissions ?? [];
  expect(kept).toContain("billing.view");
  expect(kept).not.toContain("conversations.reply");
  await row.getByRole("button", { name: `Acciones de ${name}` }).click();
  await expect(page.getByRole("menuitem", { name: "Eliminar" })).toBeDisabled();
  await page.keyboard.press("Escape");

  await page.getByRole("link", { name: "Personas" }).click();
  const person = page.getByRole("row").filter({ hasText: email });
  await person.getByRole("button", { name: "Acciones de Rita" }).click();
  await page.getByRole("menuitem", { name: "Cambiar nombre o rol" }).click();
  await page.getByRole("dialog").getByLabel("Rol").selectOption("agent");
  await page.getByRole("dialog").getByRole("button", { name: "Guardar" }).click();
  await page.getByRole("link", { name: "Roles" }).click();
  await row.getByRole("button", { name: `Acciones de ${name}` }).click();
  await page.getByRole("menuitem", { name: "Eliminar" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Eliminar" }).click();
  await expect(row).toHaveCount(0);
});

test("a built-in role is looked at, and a name that is taken is said at its field", async ({ page, api }) => {
  const name = `Doble ${Date.now()}`;
  await api.post("/roles", { name, permissions: ["contacts.view"] });
  await page.goto("/settings/roles?role=owner");
  await look(page, "role", (page) => expect(page.getByRole("checkbox").nth(53)).toBeVisible());
  await expect(page.getByText("Los roles de serie no cambian")).toBeVisible();
  await expect(page.getByLabel("Ver facturas")).toBeDisabled();
  await page.getByRole("button", { name: "Crear otro a partir de él" }).click();
  await page.getByLabel("Nombre").fill(name.toUpperCase());
  await page.getByRole("button", { name: "Guardar" }).click();
  await expect(page.getByRole("alert")).toContainText("Ya hay un rol con ese nombre");
  await expect(page.getByLabel("Nombre")).toHaveAttribute("aria-invalid", "true");
});
