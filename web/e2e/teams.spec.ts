/** Teams, and a role that reaches as far as they do: what somebody sees by it, and no longer sees. */
import { type Browser, type Page } from "@playwright/test";

import { type Api, expect, expectAccessible, look, stack, test } from "./fixtures";

test.beforeEach(({ api }) => api.prove());

const PASSWORD = "una contraseña bastante larga";

/** Somebody with that role, logged in in a browser of their own. */
async function colleague(browser: Browser, api: Api, name: string, role: string): Promise<[string, Page]> {
  const email = `${name.replace(" ", ".").toLowerCase()}@example.com`;
  const invited = await api.post<{ id: string; invitation_url: string }>("/users", { name, email, role });
  const token = invited.invitation_url.split("/").pop();
  await api.post(`/invitations/${token}`, { password: PASSWORD });
  const context = await browser.newContext({
    baseURL: stack().base,
    locale: "es-ES",
    storageState: { cookies: [], origins: [] },
  });
  const page = await context.newPage();
  await page.goto("/login");
  await page.getByLabel("Correo electrónico").fill(email);
  await page.getByLabel("Contraseña").fill(PASSWORD);
  await page.getByRole("button", { name: "Entrar", exact: true }).click();
  await expect(page).toHaveURL(/\/inbox/);
  return [invited.id, page];
}

test("a team is made and filled, and whoever is in it sees what its people have", async ({
  page,
  api,
  browser,
}) => {
  const stamp = Date.now();
  const name = `Ventas ${stamp}`;
  const role = `Del equipo ${stamp}`;
  // the role: everything of an agent, and conversations as far as the team
  await page.goto("/settings/roles");
  await page.getByRole("button", { name: "Acciones de Agente" }).click();
  await page.getByRole("menuitem", { name: "Crear otro a partir de él" }).click();
  await page.getByLabel("Nombre").fill(role);
  await page.getByLabel("Alcance de Ver conversaciones").selectOption("De mis equipos");
  await page.getByLabel("Alcance de Escribir a las personas").selectOption("Solo las mías");
  await expectAccessible(page);
  await page.getByRole("button", { name: "Guardar" }).click();
  await page
    .getByRole("row")
    .filter({ hasText: role })
    .getByRole("button", { name: role, exact: true })
    .click();
  await expect(page.getByLabel("Alcance de Ver conversaciones")).toHaveValue("team");
  await expect(page.getByLabel("Alcance de Escribir a las personas")).toHaveValue("own");

  const { items: roles } = await api.get<{ items: { id: string; name: string | null }[] }>(
    "/roles?limit=200",
  );
  const id = roles.find((one) => one.name === role)?.id ?? "";
  const [ana, anas] = await colleague(browser, api, `Ana ${stamp}`, id);
  const [leo, leos] = await colleague(browser, api, `Leo ${stamp}`, id);
  await leos.context().close();

  // what is Leo's is nobody else's
  const { items: lines } = await api.get<{ items: { id: string }[] }>("/lines");
  const address = `+1305556${String(stamp).slice(-4)}`;
  const made = await api.post("/conversations", { line_id: lines[0]?.id, address });
  await api.send("PATCH", `/conversations/${made.id}`, { assignee_id: leo });
  await anas.goto(`/inbox?conversation=${made.id}`);
  await expect(anas.getByText("Esta conversación no existe")).toBeVisible();

  // a team with both of them
  await page.goto("/settings/teams");
  await page.getByRole("button", { name: "Nuevo equipo" }).click();
  await page.getByRole("dialog").getByLabel("Nombre").fill(name);
  await page.getByRole("dialog").getByRole("button", { name: "Guardar" }).click();
  const members = page.getByRole("dialog", { name });
  for (const [count, person] of [ana, leo].entries()) {
    await members.getByLabel("Persona", { exact: true }).selectOption(person);
    await members.getByRole("button", { name: "Añadir" }).click();
    await expect(members.getByRole("listitem")).toHaveCount(count + 1);
  }
  await expectAccessible(page);
  const read = anas.waitForResponse((answer) => answer.url().endsWith(`/conversations/${made.id}`));
  await anas.reload();
  expect((await read).status()).toBe(200);
  await expect(anas.getByText("Esta conversación no existe")).toBeHidden();

  // whoever is out of it is out of it at once
  await members.getByRole("button", { name: `Sacar a Leo ${stamp}` }).click();
  await expect(members.getByRole("listitem")).toHaveCount(1);
  await anas.reload();
  await expect(anas.getByText("Esta conversación no existe")).toBeVisible();
  await members.getByRole("button", { name: "Cerrar" }).first().click();
  await look(page, "teams", (page) => expect(page.getByRole("row").filter({ hasText: name })).toBeVisible());
  await page.getByRole("button", { name: `Acciones de ${name}` }).click();
  await page.getByRole("menuitem", { name: "Eliminar" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Eliminar" }).click();
  await expect(page.getByRole("row").filter({ hasText: name })).toHaveCount(0);
  await anas.context().close();
});
