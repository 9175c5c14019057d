import { expect, loggedOut, look, stack, test } from "./fixtures";

test.describe("somebody who is not logged in", () => {
  test.use({ storageState: async ({}, provide) => provide(loggedOut()) });

  test("logs in, lands where they wanted to go, and logs out", async ({ page }) => {
    await page.goto("/contacts?q=305");
    await expect(page).toHaveURL(/\/login\?to=/);
    await page.getByLabel("Correo electrónico").fill(stack().email);
    await page.getByLabel("Contraseña").fill(stack().password);
    await page.keyboard.press("Enter");
    await expect(page.getByRole("heading", { name: "Contactos" })).toBeVisible();
    await expect(page).toHaveURL(/\/contacts\?q=305$/);
    await page
      .getByRole("button", { name: /^Menú de/ })
      .first()
      .click();
    await page.getByRole("menuitem", { name: "Cerrar sesión" }).click();
    await expect(page.getByRole("heading", { name: "Inicia sesión" })).toBeVisible();
    await page.goto("/contacts");
    await expect(page).toHaveURL(/\/login\?to=/);
  });

  test("is told what to do about a wrong password, and how long to wait after too many", async ({ page }) => {
    await page.goto("/login");
    const mistake = async () => {
      await page.getByLabel("Correo electrónico").fill("nadie@demo.example");
      await page.getByLabel("Contraseña").fill("equivocada");
      await page.getByRole("button", { name: "Entrar", exact: true }).click();
    };
    await mistake();
    await expect(page.getByRole("alert")).toHaveText(/no son correctos/);
    for (let tried = 1; tried < 6; tried++) {
      await expect(page.getByRole("button", { name: "Entrar", exact: true })).toBeEnabled();
      await mistake();
    }
    await expect(page.getByRole("alert")).toHaveText(/Demasiados intentos/);
    await expect(page.getByRole("button", { name: "Entrar", exact: true })).toBeDisabled();
  });

  test("is not sent to another site after the log-in", async ({ page }) => {
    await page.goto("/login?to=" + encodeURIComponent("//evil.example/inbox"));
    await page.getByLabel("Correo electrónico").fill(stack().email);
    await page.getByLabel("Contraseña").fill(stack().password);
    await page.getByRole("button", { name: "Entrar", exact: true }).click();
    await expect(page).toHaveURL(/127\.0\.0\.1:\d+\/inbox/);
  });

  test("sees a log-in screen that everybody can read", async ({ page }) => {
    await page.goto("/login");
    await look(page, "login", (page) => expect(page.getByRole("heading", { level: 1 })).toBeVisible());
  });
});

test("the language is kept, and everything changes with it", async ({ page }) => {
  await page.goto("/contacts");
  await page
    .getByRole("button", { name: /^Menú de/ })
    .first()
    .click();
  await page.getByRole("menuitemradio", { name: "English" }).click();
  await expect(page.getByRole("heading", { name: "Contacts" })).toBeVisible();
  await expect(page.locator("html")).toHaveAttribute("lang", "en");
  await page.reload();
  await expect(page.getByRole("heading", { name: "Contacts" })).toBeVisible();
});

test("keys lead anywhere, and none of them acts in a field", async ({ page }) => {
  await page.goto("/inbox");
  await expect(page.getByRole("navigation").first()).toBeVisible();
  await page.keyboard.press("g");
  await page.keyboard.press("c");
  await expect(page).toHaveURL(/\/contacts/);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Atajos de teclado" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
  await page.keyboard.press("Control+k");
  const palette = page.getByRole("combobox", { name: "Buscar un comando" });
  await palette.fill("campana");
  // letters in a field are letters
  await page.keyboard.type(" g c ?");
  await expect(palette).toHaveValue("campana g c ?");
  await palette.fill("ir a campa");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/campaigns$/);
});

test("an address that does not exist says so and leads back", async ({ page }) => {
  await page.goto("/nowhere");
  await page.getByRole("link", { name: "Ir al inicio" }).click();
  await expect(page).toHaveURL(/\/inbox/);
});
