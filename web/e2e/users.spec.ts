/** The people of an account: invited by a link, let in by it, changed and sent away. */
import { expect, expectAccessible, look, stack, test } from "./fixtures";

test.beforeEach(({ api }) => api.prove());

const freshMail = () => `ana.${Date.now()}@example.com`;

test("somebody is invited, sets name and password, works, and is sent away", async ({ page, browser }) => {
  const email = freshMail();
  await page.goto("/");
  await page
    .getByRole("button", { name: /^Menú de/ })
    .first()
    .click();
  await page.getByRole("menuitem", { name: "Ajustes" }).click();
  await page.getByRole("link", { name: "Personas" }).click();
  await expect(page.getByRole("heading", { name: "Personas" })).toBeVisible();
  await page.getByRole("button", { name: "Invitar" }).click();
  const form = page.getByRole("dialog", { name: "Invitar" });
  await form.getByLabel("Nombre").fill("Ana");
  await form.getByLabel("Correo electrónico").fill(email);
  await form.getByLabel("Rol").selectOption("agent");
  await expectAccessible(page);
  await form.getByRole("button", { name: "Crear el enlace" }).click();
  const link = await page.getByLabel("Enlace de invitación").inputValue();
  expect(link).toContain(`${stack().base}/invitations/`);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.getByRole("button", { name: "Copiar" }).click();
  await expect(page.getByText("Copiado")).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(link);
  await page.getByRole("dialog").getByRole("button", { name: "Cerrar" }).first().click();
  const row = page.getByRole("row").filter({ hasText: email });
  await expect(row).toContainText("Invitado");
  // the first link is replaced by another one
  await row.getByRole("button", { name: "Acciones de Ana" }).click();
  await page.getByRole("menuitem", { name: "Enlace nuevo" }).click();
  const second = await page.getByLabel("Enlace de invitación").inputValue();
  await page.getByRole("dialog").getByRole("button", { name: "Cerrar" }).first().click();

  const theirs = await browser.newContext({ locale: "es-ES", storageState: { cookies: [], origins: [] } });
  const ana = await theirs.newPage();
  await ana.goto(link);
  await expect(ana.getByText("Este enlace no vale")).toBeVisible();
  await ana.goto(second);
  await expect(ana.getByRole("heading", { name: "Te damos la bienvenida" })).toBeVisible();
  await look(ana, "invitation", (page) => expect(page.getByRole("heading", { level: 1 })).toBeVisible());
  await ana.getByLabel("Tu nombre").fill("Ana Ruiz");
  await ana.getByLabel("Contraseña").fill("una contraseña larga");
  await ana.getByRole("button", { name: "Entrar", exact: true }).click();
  await expect(ana).toHaveURL(/\/inbox/);
  // an agent has no way to the screen, and is told so who tries it
  await ana.goto("/settings/users");
  await expect(ana.getByRole("heading", { name: "Personas" })).toBeHidden();
  await ana.goto(second);
  await expect(ana.getByText("Esta invitación ya se usó")).toBeVisible();
  await ana.goto("/inbox");

  await page.reload();
  await expect(row).toContainText("Ana Ruiz");
  await expect(row).toContainText("Activo");
  await row.getByRole("button", { name: "Acciones de Ana Ruiz" }).click();
  await page.getByRole("menuitem", { name: "Cambiar nombre o rol" }).click();
  await page.getByLabel("Rol", { exact: true }).selectOption("supervisor");
  await page.getByRole("button", { name: "Guardar" }).click();
  await expect(row).toContainText("Supervisor");
  await row.getByRole("button", { name: "Acciones de Ana Ruiz" }).click();
  await page.getByRole("menuitem", { name: "Quitar el acceso" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Quitar el acceso" }).click();
  await expect(row).toContainText("Sin acceso");
  await expect(ana.getByRole("heading", { name: "Inicia sesión" })).toBeVisible({ timeout: 10_000 });
  await theirs.close();
});

test("the same mail twice is refused at its field, and the last owner stays", async ({ page }) => {
  await page.goto("/settings/users");
  await page.getByRole("button", { name: "Invitar" }).click();
  const form = page.getByRole("dialog", { name: "Invitar" });
  await form.getByLabel("Nombre").fill("Otro");
  await form.getByLabel("Correo electrónico").fill(stack().email);
  await form.getByRole("button", { name: "Crear el enlace" }).click();
  await expect(form.getByRole("alert")).toContainText("Ya hay un usuario con ese correo");
  await form.getByRole("button", { name: "Cancelar" }).click();
  const me = page.getByRole("row").filter({ hasText: stack().email });
  await me.getByRole("button", { name: /^Acciones de/ }).click();
  await expect(page.getByRole("menuitem", { name: "Quitar el acceso" })).toHaveCount(0);
  await page.getByRole("menuitem", { name: "Cambiar nombre o rol" }).click();
  await page.getByLabel("Rol", { exact: true }).selectOption("agent");
  await page.getByRole("button", { name: "Guardar" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "último propietario" })).toBeVisible();
});

test("the team is seen in both languages and sizes", async ({ page }) => {
  await page.goto("/settings/users");
  await look(page, "users", (page) => expect(page.getByRole("row").nth(1)).toBeVisible());
});

test("what was done to whom is in the audit, and a log-in that was refused", async ({
  page,
  browser,
  api,
}) => {
  const email = freshMail();
  const made = await api.post("/users", { name: "Auditada", email, role: "agent" });
  await api.send("PATCH", `/users/${made.id}`, { role: "supervisor" });
  const { email: mine } = stack();
  const stranger = await browser.newContext({ baseURL: stack().base });
  const refused = await stranger.request.post("/api/v1/session", {
    data: { email: mine, password: "no es esta contraseña" },
    headers: { origin: stack().base },
  });
  expect(refused.status()).toBe(401);
  await stranger.close();
  await page.goto("/");
  await page
    .getByRole("button", { name: /^Menú de/ })
    .first()
    .click();
  await page.getByRole("menuitem", { name: "Ajustes" }).click();
  await page.getByRole("link", { name: "Auditoría" }).click();
  await page.getByRole("button", { name: "Comprobar que está entero" }).click();
  await expect(
    page.getByRole("status").filter({ hasText: "Nadie ha cambiado ni quitado ninguna" }),
  ).toBeVisible();
  const changed = page.getByRole("row").filter({ hasText: "Usuario: cambio · Auditada" });
  await expect(changed).toContainText("role: agent → supervisor");
  await look(page, "audit", (page) => expect(page.getByRole("row").nth(1)).toBeVisible());
  await page.getByLabel("Sobre qué").selectOption("Acceso");
  await expect(page.getByRole("row").filter({ hasText: "Acceso: rechazo" }).first()).toContainText(
    "127.0.0.1",
  );
});
