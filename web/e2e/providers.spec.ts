/** People log in by an identity provider that nobody here wrote. */
import type { Browser, Page } from "@playwright/test";

import { expect, expectAccessible, look, stack, test } from "./fixtures";
import { CLIENT, IdentityProvider, isInstalled } from "./identity-provider";

test.skip(!isInstalled, "oidc-provider is not installed: .ci/oidc-provider makes it");

/** A browser in which nobody is logged in, at the log-in page of an account. */
async function atTheDoor(browser: Browser, account: string): Promise<Page> {
  const context = await browser.newContext({
    baseURL: stack().base,
    locale: "es-ES",
    storageState: { cookies: [], origins: [] },
  });
  const page = await context.newPage();
  await page.goto("/login");
  await page.getByRole("button", { name: "Entrar por tu empresa" }).click();
  await page.getByLabel("Nombre corto de tu cuenta").fill(account);
  await page.getByRole("button", { name: "Mostrar" }).click();
  return page;
}

test("an owner sets a provider up, and people come in by it, or are told why not", async ({
  page,
  browser,
  api,
}) => {
  const provider = await IdentityProvider.start();
  const name = `Oficina ${Date.now()}`;
  const { tenant } = await api.get<{ tenant: { slug: string } }>("/session");
  const email = `irene.${Date.now()}@example.com`;
  await api.post("/users", { name: "Irene", email, role: "agent" });
  await api.prove();

  await page.goto("/settings/security");
  await page.getByRole("button", { name: "Añadir un proveedor" }).click();
  const form = page.getByRole("dialog", { name: "Añadir un proveedor" });
  await form.getByLabel("Nombre en el botón").fill(name);
  await form.getByLabel("Emisor").fill(provider.issuer);
  await form.getByLabel("ID de cliente").fill(CLIENT.id);
  await form.getByLabel("Secreto de cliente").fill(CLIENT.secret);
  await expectAccessible(page);
  await form.getByRole("button", { name: "Guardar" }).click();
  const row = page.getByRole("list", { name: "Proveedores de identidad" }).getByRole("listitem");
  await expect(row.filter({ hasText: name })).toContainText(provider.issuer);
  await expect(page.locator("body")).not.toContainText(CLIENT.secret);

  await test.step("who is invited comes in, and is known from then on", async () => {
    await provider.person("irene", email);
    const hers = await atTheDoor(browser, tenant.slug);
    await expect(hers.getByRole("button", { name: `Entrar con ${name}` })).toBeVisible();
    await look(hers, "login-providers", (hers) =>
      expect(hers.getByRole("button", { name: new RegExp(`${name}$`) })).toBeVisible(),
    );
    await hers.getByRole("button", { name: `Entrar con ${name}` }).click();
    await expect(hers).toHaveURL(/\/inbox/);
    await hers.goto("/settings/security");
    const known = hers.getByRole("list", { name: "Entrar por otros" }).getByRole("listitem");
    await expect(known).toContainText(name);
    await expect(known).toContainText(email);
    await hers.context().close();
  });
  await test.step("a stranger, and one whose address nobody has proven, stay outside", async () => {
    const theirs = await atTheDoor(browser, tenant.slug);
    await provider.person("stranger", "stranger@example.com");
    await theirs.getByRole("button", { name: `Entrar con ${name}` }).click();
    await expect(theirs.getByRole("alert")).toContainText("Nadie en esta cuenta es conocido así");
    await theirs.context().close();
    const other = await atTheDoor(browser, tenant.slug);
    await provider.person("impostor", stack().email, false);
    await other.getByRole("button", { name: `Entrar con ${name}` }).click();
    await expect(other.getByRole("alert")).toContainText("no dice que tu correo sea tuyo");
    await other.context().close();
  });
  await provider.stop();

  await page.getByRole("button", { name: `Quitar ${name}` }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Quitar" }).click();
  await expect(row.filter({ hasText: name })).toHaveCount(0);
});
