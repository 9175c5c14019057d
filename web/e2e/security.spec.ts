/** How people log in: the second factor, their sessions, a proof before what matters. */
import type { Browser, Page } from "@playwright/test";

import { codeOf } from "./authenticator";
import { type Api, expect, expectAccessible, look, stack, test } from "./fixtures";

const PASSWORD = "una contraseña larga";

interface Person {
  page: Page;
  email: string;
  id: string;
}

/** Somebody new, on a browser of their own. */
async function newcomer(browser: Browser, api: Api, name: string, role: string): Promise<Person> {
  const email = `${name.toLowerCase()}.${Date.now()}@example.com`;
  const made = await api.post<{ id: string; invitation_url: string }>("/users", { name, email, role });
  const context = await browser.newContext({
    baseURL: stack().base,
    locale: "es-ES",
    storageState: { cookies: [], origins: [] },
  });
  const page = await context.newPage();
  await page.goto(made.invitation_url);
  await page.getByLabel("Contraseña").fill(PASSWORD);
  await page.getByRole("button", { name: "Entrar", exact: true }).click();
  await expect(page).not.toHaveURL(/invitations/);
  return { page, email, id: made.id };
}

async function logIn(page: Page, email: string): Promise<void> {
  await page.getByLabel("Correo electrónico").fill(email);
  await page.getByLabel("Contraseña").fill(PASSWORD);
  await page.getByRole("button", { name: "Entrar", exact: true }).click();
}

test("a second factor is set up, asked for at the log-in, and its recovery codes work once", async ({
  browser,
  api,
}) => {
  const { page, email, id } = await newcomer(browser, api, "Eva", "agent");
  await page
    .getByRole("button", { name: /^Menú de/ })
    .first()
    .click();
  await page.getByRole("menuitem", { name: "Ajustes" }).click();
  await page.getByRole("link", { name: "Seguridad" }).click();
  await expect(page.getByRole("heading", { name: "Seguridad", level: 1 })).toBeVisible();
  await expect(page.getByText("Desactivado")).toBeVisible();
  await look(page, "security", (page) =>
    expect(page.getByRole("list", { name: /^(Sesiones|Sessions)$/ }).getByRole("listitem")).toHaveCount(1),
  );
  await page.getByRole("button", { name: "Configurar" }).click();
  const setUp = page.getByRole("dialog", { name: "Configurar" });
  await expect(setUp.getByRole("img", { name: "Código QR para el autenticador" })).toBeVisible();
  await expectAccessible(page);
  await page.screenshot({ path: "../target/screenshots/security-set-up.desktop.es.png" });
  const secret = await setUp.getByLabel("Secreto").inputValue();
  await setUp.getByLabel("El código que muestra").fill("000000");
  await setUp.getByRole("button", { name: "Activar" }).click();
  await expect(setUp.getByText("El código no es correcto")).toBeVisible();
  await setUp.getByLabel("El código que muestra").fill(codeOf(secret));
  await setUp.getByRole("button", { name: "Activar" }).click();
  const shown = page.getByRole("dialog", { name: "Códigos de recuperación" });
  await expect(shown.getByRole("listitem")).toHaveCount(10);
  await expectAccessible(page);
  const [recovery = ""] = await shown.getByRole("listitem").allInnerTexts();
  await shown.getByRole("button", { name: "Los he guardado" }).click();
  await expect(page.getByText("Quedan 10 códigos de recuperación")).toBeVisible();

  // whoever logs in elsewhere is asked for a code, and a recovery code is one
  const elsewhere = await browser.newContext({
    baseURL: stack().base,
    locale: "es-ES",
    storageState: { cookies: [], origins: [] },
  });
  const other = await elsewhere.newPage();
  for (const isFirst of [true, false]) {
    await other.context().clearCookies();
    await other.goto("/login");
    await logIn(other, email);
    await expect(other.getByText("Da también un código de tu autenticador.")).toBeVisible();
    if (isFirst) await expectAccessible(other);
    await other.getByLabel("Código", { exact: true }).fill(recovery.toLowerCase());
    await other.getByRole("button", { name: "Entrar", exact: true }).click();
    if (isFirst) await expect(other).toHaveURL(/\/inbox/);
    else
      await expect(other.getByText("El código no es correcto o ya se usó.", { exact: false })).toBeVisible();
  }
  await other.getByLabel("Código", { exact: true }).fill(codeOf(secret, 1));
  await other.getByRole("button", { name: "Entrar", exact: true }).click();
  await expect(other).toHaveURL(/\/inbox/);

  // here the others are seen, and ended
  await page.reload();
  await expect(page.getByText("Quedan 9 códigos de recuperación")).toBeVisible();
  await page.getByRole("button", { name: "Terminar las demás" }).click();
  await expect(page.getByRole("list", { name: "Sesiones" }).getByRole("listitem")).toHaveCount(1);
  await expect(other.getByRole("heading", { name: "Inicia sesión" })).toBeVisible({ timeout: 10_000 });
  // an admin helps whoever has lost everything
  await api.prove();
  await api.send("DELETE", `/users/${id}/second-factor`);
  await page.reload();
  await expect(page.getByText("Desactivado")).toBeVisible();
  await page.context().close();
  await elsewhere.close();
});

test("a browser that was never used before is told to the others, which say whose it is", async ({
  browser,
  api,
}) => {
  const { page, email } = await newcomer(browser, api, "Nora", "agent");
  const told = page.getByRole("region", { name: /^(Navegadores nuevos|New browsers)$/ });
  const elsewhere = async () => {
    const context = await browser.newContext({
      baseURL: stack().base,
      locale: "es-ES",
      storageState: { cookies: [], origins: [] },
    });
    const other = await context.newPage();
    await other.goto("/login");
    await logIn(other, email);
    await expect(other).toHaveURL(/\/inbox/);
    return other;
  };
  await page.goto("/inbox");
  await expect(page.getByRole("navigation").first()).toBeVisible();
  const phone = await elsewhere();
  // within seconds, on whatever screen they are
  await expect(told.getByRole("listitem")).toHaveCount(1, { timeout: 10_000 });
  await expect(told).toContainText("Alguien ha entrado como tú desde un navegador que no habías usado");
  await expect(told).toContainText("127.0.0.1");
  await expect(phone.getByRole("navigation").first()).toBeVisible();
  await expect(phone.getByRole("region", { name: "Navegadores nuevos" })).toHaveCount(0);
  await look(page, "new-device", () => expect(told).toBeVisible());
  await page.goto("/settings/security");
  const sessions = page.getByRole("list", { name: "Sesiones" });
  await expect(sessions.getByText("Navegador nuevo")).toHaveCount(1);
  await sessions.getByRole("button", { name: /^Fui yo/ }).click();
  await expect(told).toHaveCount(0);
  await expect(sessions.getByText("Navegador nuevo")).toHaveCount(0);

  // the same browser is no news any more, and a third one is told to both
  await phone.context().clearCookies({ name: /session$/ });
  await phone.goto("/login");
  await logIn(phone, email);
  await expect(phone).toHaveURL(/\/inbox/);
  const stranger = await elsewhere();
  await expect(told.getByRole("listitem")).toHaveCount(1, { timeout: 10_000 });
  await expect(phone.getByRole("region", { name: "Navegadores nuevos" })).toBeVisible({ timeout: 10_000 });
  await page.goto("/inbox");
  await told.getByRole("button", { name: /^No fui yo/ }).click();
  await expect(told).toHaveCount(0);
  await expect(stranger.getByRole("heading", { name: "Inicia sesión" })).toBeVisible({ timeout: 10_000 });
  await expect(phone.getByRole("region", { name: "Navegadores nuevos" })).toHaveCount(0, { timeout: 10_000 });
  await page.getByRole("button", { name: "Cambiar la contraseña" }).click();
  await expect(page).toHaveURL(/\/settings\/security/);
  for (const one of [page, phone, stranger]) await one.context().close();
});

test("what matters is asked for again with the password, and is then done", async ({ browser, api }) => {
  const { page, email } = await newcomer(browser, api, "Raul", "agent");
  await page.goto("/settings/security");
  // the proof of the log-in is fresh: the server's refusal of an old one is put in its place, once
  let isOld = true;
  await page.route("**/api/v1/session/password", async (route) => {
    if (!isOld) return route.continue();
    isOld = false;
    await route.fulfill({ status: 403, json: { code: "proof_needed", status: 403, title: "Forbidden" } });
  });
  await page.getByLabel("Contraseña nueva").fill("otra contraseña larga");
  await page.getByRole("button", { name: "Cambiar" }).click();
  const proof = page.getByRole("dialog", { name: "¿Eres tú?" });
  await expect(proof.getByLabel("Contraseña")).toBeFocused();
  await expectAccessible(page);
  await proof.getByLabel("Contraseña").fill("no es esta contraseña");
  await proof.getByRole("button", { name: "Continuar" }).click();
  await expect(proof.getByText("El correo o la contraseña no son correctos", { exact: false })).toBeVisible();
  await proof.getByLabel("Contraseña").fill(PASSWORD);
  await proof.getByRole("button", { name: "Continuar" }).click();
  await expect(page.getByText("La contraseña ha cambiado")).toBeVisible();
  await page.context().clearCookies();
  await page.goto("/login");
  await logIn(page, email);
  await expect(page.getByText("El correo o la contraseña no son correctos", { exact: false })).toBeVisible();
  await page.getByLabel("Contraseña").fill("otra contraseña larga");
  await page.getByRole("button", { name: "Entrar", exact: true }).click();
  await expect(page).toHaveURL(/\/inbox/);
  await page.context().close();
});

test("an account that asks for a second factor lets nobody past its set-up", async ({
  browser,
  playwright,
}) => {
  const { base, operatorToken } = stack();
  const operator = await playwright.request.newContext({
    baseURL: base,
    extraHTTPHeaders: { authorization: `Bearer ${operatorToken}` },
  });
  const slug = `seguro-${Date.now()}`;
  const owner = { email: `owner@${slug}.example`, password: PASSWORD, name: "Dueña" };
  const tenant = { name: "Seguro", slug, region: "US", time_zone: "America/New_York", owner };
  expect((await operator.post("/api/v1/platform/tenants", { data: tenant })).ok()).toBe(true);
  const context = await browser.newContext({
    baseURL: base,
    locale: "es-ES",
    storageState: { cookies: [], origins: [] },
  });
  const page = await context.newPage();
  await page.goto("/login");
  await logIn(page, owner.email);
  await expect(page).toHaveURL(/\/inbox/);
  await page.goto("/settings/security");
  const asks = page.getByLabel("Pedir un segundo factor a todo el mundo");
  await asks.click();
  await expect(page.getByText("Configura antes tu propio segundo factor.")).toBeVisible();
  await page.getByRole("button", { name: "Configurar" }).click();
  const setUp = page.getByRole("dialog", { name: "Configurar" });
  const secret = await setUp.getByLabel("Secreto").inputValue();
  await setUp.getByLabel("El código que muestra").fill(codeOf(secret));
  await setUp.getByRole("button", { name: "Activar" }).click();
  await page.getByRole("button", { name: "Los he guardado" }).click();
  await asks.click();
  await expect(asks).toBeChecked();
  await expect(page.getByText("Tu cuenta lo pide, así que no se puede desactivar.")).toBeVisible();

  const asOwner = await playwright.request.newContext({
    baseURL: base,
    storageState: await context.storageState(),
    extraHTTPHeaders: { origin: base },
  });
  const email = `agente@${slug}.example`;
  const invited = await asOwner.post("/api/v1/users", { data: { name: "Agente", email, role: "agent" } });
  const { invitation_url: link } = (await invited.json()) as { invitation_url: string };
  const theirs = await browser.newContext({
    baseURL: base,
    locale: "es-ES",
    storageState: { cookies: [], origins: [] },
  });
  const agent = await theirs.newPage();
  await agent.goto(link);
  await agent.getByLabel("Contraseña").fill(PASSWORD);
  await agent.getByRole("button", { name: "Entrar", exact: true }).click();
  await expect(agent.getByRole("heading", { name: "Tu cuenta pide un segundo factor" })).toBeVisible();
  await agent.goto("/inbox");
  await expect(agent).toHaveURL(/\/second-factor/);
  await look(agent, "second-factor-needed", (page) => expect(page.getByRole("img")).toBeVisible());
  const theirSecret = await agent.getByLabel("Secreto").inputValue();
  await agent.getByLabel("El código que muestra").fill(codeOf(theirSecret));
  await agent.getByRole("button", { name: "Activar" }).click();
  await expect(agent.getByRole("listitem")).toHaveCount(10);
  await agent.getByRole("button", { name: "Los he guardado" }).click();
  await expect(agent).toHaveURL(/\/inbox/);
  for (const one of [context, theirs]) await one.close();
  for (const one of [operator, asOwner]) await one.dispose();
});

test("a key is made with its limits, shown once, and revoked", async ({ page, api }) => {
  const name = `Informes ${Date.now()}`;
  await api.prove();
  await page.goto("/settings/security");
  await page.getByRole("button", { name: "Clave nueva" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Para qué es").fill(name);
  await dialog.getByLabel("contacts.view").check();
  await dialog.getByLabel("Peticiones por minuto").fill("60");
  await dialog.getByLabel("Peticiones por día").fill("1000");
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Crear la clave" }).click();
  const token = await page.getByRole("textbox", { name: "Clave de API" }).inputValue();
  expect(token).toMatch(/^pk_/);
  const bearer = { headers: { authorization: `Bearer ${token}` } };
  const asked = await page.request.get("/api/v1/contacts", bearer);
  expect([asked.status(), asked.headers()["ratelimit-policy"]]).toEqual([
    200,
    '"minute";q=60;w=60, "day";q=1000;w=86400',
  ]);
  await page.getByRole("button", { name: "Cerrar" }).first().click();
  const row = page.getByRole("listitem").filter({ hasText: name });
  await expect(row).toContainText("60 por minuto");
  await expect(row).toContainText("de 1000 hoy");
  await row.getByRole("button", { name: `Revocar ${name}` }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Revocar" }).click();
  await expect(row).toHaveCount(0);
  const keys = await api.get<{ items: { name: string }[] }>("/api-keys");
  expect(keys.items.filter((key) => key.name === name)).toEqual([]);
});
