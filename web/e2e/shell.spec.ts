import { expect, expectAccessible, look, SCREENSHOTS, stack, test } from "./fixtures";

test.describe("somebody whose account has nothing yet", () => {
  test.use({ storageState: { cookies: [], origins: [] } });

  test("is told on each screen what to do next, down to the smallest phone", async ({ page, request }) => {
    const { base, operatorToken } = stack();
    const owner = { email: "owner@nueva.example", password: "a long enough password", name: "Dueña Nueva" };
    const made = await request.post("/api/v1/platform/tenants", {
      headers: { authorization: `Bearer ${operatorToken}` },
      data: { name: "Nueva", slug: "nueva", region: "ES", time_zone: "Europe/Madrid", owner },
    });
    expect(made.ok(), await made.text()).toBe(true);
    await page.goto("/contacts");
    await page.getByLabel("Correo electrónico").fill(owner.email);
    await page.getByLabel("Contraseña").fill(owner.password);
    await page.getByRole("button", { name: "Entrar", exact: true }).click();
    await expect(page.getByText("Aún no hay contactos")).toBeVisible();
    await page.setViewportSize({ width: 360, height: 740 });
    const screens = [
      ["/contacts", "Aún no hay contactos", "contacts-empty"],
      ["/campaigns", "Aún no hay campañas", "campaigns-empty"],
      ["/imports", "Aún no has importado nada", "imports-empty"],
      ["/jobs?tab=batches", "No hay lotes", "batches-empty"],
      ["/campaigns/new", "No hay ninguna línea desde la que enviar", "campaign-without-line"],
      ["/imports/new", "Suelta aquí un archivo CSV", "import-new-empty"],
    ] as const;
    for (const [path, text, name] of screens) {
      await page.goto(base + path);
      await expect(page.getByText(text)).toBeVisible();
      await page.screenshot({ path: `${SCREENSHOTS}${name}.360.es.png` });
      await expectAccessible(page);
      const excess = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(excess, `${path} fits 360 px`).toBeLessThanOrEqual(0);
    }
    // what is another account's does not exist here
    await page.goto(`${base}/campaigns/0197f0c4-0000-7000-8000-000000000000`);
    await expect(page.getByRole("alert")).toHaveText(/no es de tu cuenta/);
  });
});

test("help, palette and menu are readable by everybody", async ({ page }) => {
  await page.goto("/campaigns");
  await expect(page.getByRole("heading", { name: "Campañas" })).toBeVisible();
  await page.keyboard.press("?");
  const help = page.getByRole("dialog", { name: "Atajos de teclado" });
  await expect(help.getByText("Nueva campaña")).toBeVisible();
  await page.screenshot({ path: `${SCREENSHOTS}help.desktop.es.png` });
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await expect(page.getByRole("option").first()).toBeVisible();
  await page.screenshot({ path: `${SCREENSHOTS}palette.desktop.es.png` });
  await expectAccessible(page);
  await page.getByRole("combobox").fill("xyz");
  await expect(page.getByText(/No hay ningún comando así/)).toBeVisible();
  await page.keyboard.press("Escape");
  await page
    .getByRole("button", { name: /^Menú de/ })
    .first()
    .click();
  await expect(page.getByRole("menu")).toBeVisible();
  await page.screenshot({ path: `${SCREENSHOTS}user-menu.desktop.es.png` });
  await expectAccessible(page);
});

test("an address that nothing has is a page of its own", async ({ page }) => {
  await page.goto("/nowhere");
  await look(page, "missing", (page) => expect(page.getByRole("link").first()).toBeVisible());
});

test("a screen whose files are gone after a new version says so, and the rest still works", async ({
  page,
  watched,
}) => {
  await page.goto("/contacts");
  await expect(page.getByRole("heading", { name: "Contactos" })).toBeVisible();
  await page.route(/\/assets\/JobsPage-/, (route) => route.fulfill({ status: 404, body: "" }));
  await page.getByRole("link", { name: "Trabajos" }).first().click();
  await expect(page.getByText("Hay una versión nueva")).toBeVisible();
  await page.getByRole("link", { name: "Contactos" }).first().click();
  await expect(page.getByRole("heading", { name: "Contactos" })).toBeVisible();
  await page.goBack();
  await expect(page.getByText("Hay una versión nueva")).toBeVisible();
  await page.unroute(/\/assets\/JobsPage-/);
  await page.getByRole("button", { name: "Recargar" }).click();
  await expect(page.getByRole("heading", { name: "Trabajos" })).toBeVisible();
  // the browser complains of the file, as it should
  watched.complaints.length = 0;
});
