import type { Page } from "@playwright/test";

import { type Api, expect, look, stack, test } from "./fixtures";
import {
  bubbles,
  composer,
  conversationOf,
  freshNumber,
  gateOfFeed,
  open,
  rowOf,
  theirs,
  thread,
  threadOf,
  writer,
} from "./inbox-fixtures";

const titleCount = async (page: Page) => Number(/^\((\d+)/.exec(await page.title())?.[1] ?? 0);

test.beforeEach(async () => theirs.be({ read_receipts: true, delivered_delay_ms: 50, read_delay_ms: 100 }));

test("what comes in appears in the list, in the thread and in the badge, and is read once it is seen", async ({
  page,
  api,
}) => {
  const ana = await writer(api, "Ana", "¿Seguís abiertos?");
  await page.goto("/inbox");
  await expect(rowOf(page, ana)).toContainText("¿Seguís abiertos?");
  await expect(rowOf(page, ana)).toContainText("1 mensaje sin leer");
  // what is counted is asked for beside the list
  await expect.poll(() => titleCount(page)).toBeGreaterThan(0);
  const before = await titleCount(page);
  await rowOf(page, ana).click();
  await expect(bubbles(page).last()).toContainText("¿Seguís abiertos?");
  await expect(rowOf(page, ana)).not.toContainText("sin leer");
  await expect.poll(() => titleCount(page)).toBe(before - 1);
  await theirs.write(ana.address, "Es para hoy");
  await expect(bubbles(page).last()).toContainText("Es para hoy");
  await expect(rowOf(page, ana)).toContainText("Es para hoy");
  const nobody = freshNumber();
  await theirs.write(nobody, "Hola, soy nuevo", "SMS");
  const row = page.getByRole("link", { name: new RegExp(nobody.slice(-4)) });
  await expect(row).toContainText("Hola, soy nuevo");
  await expect(row).toContainText("SMS");
  await expect.poll(() => titleCount(page)).toBe(before);
});

test("a reply goes out, is delivered and read, and says so", async ({ page, api }) => {
  const ana = await writer(api, "Ana");
  await open(page, ana);
  await composer(page).fill("Sí, hasta las seis");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("¡Te esperamos!");
  await page.keyboard.press("Enter");
  await expect(composer(page)).toHaveValue("");
  const mine = bubbles(page).last();
  await expect(mine).toContainText("Sí, hasta las seis\n¡Te esperamos!");
  await expect(mine).toContainText("iMessage");
  await expect(mine.locator("[data-status=read]")).toHaveText(/Leído/);
  await expect(rowOf(page, ana)).toContainText("Tú: Sí, hasta las seis ¡Te esperamos!");
  expect((await threadOf(api, ana.id)).at(-1)).toMatchObject({ status: "read", direction: "outbound" });
});

test("twenty quick replies are twenty bubbles in order, here and at the server", async ({ page, api }) => {
  const ana = await writer(api, "Ana");
  await open(page, ana);
  await composer(page).focus();
  const written = Array.from({ length: 20 }, (_, place) => `rápido ${place + 1}`);
  for (const text of written) {
    await page.keyboard.insertText(text);
    await page.keyboard.press("Enter");
  }
  const texts = async () =>
    (await thread(page).getByRole("article").allInnerTexts())
      .map((text) => text.split("\n")[0] ?? "")
      .filter((text) => text.startsWith("rápido"));
  await expect(page.getByRole("article", { name: "Mensaje que aún no está guardado" })).toHaveCount(0);
  await expect.poll(async () => (await threadOf(api, ana.id)).length).toBe(21);
  expect((await threadOf(api, ana.id)).slice(1).map(({ body }) => body)).toEqual(written);
  await thread(page).press("End");
  await expect.poll(async () => (await texts()).slice(-5)).toEqual(written.slice(-5));
  const shown = await texts();
  expect(shown).toEqual(written.slice(-shown.length));
});

test("a note stays among colleagues", async ({ page, api }) => {
  const ana = await writer(api, "Ana");
  await open(page, ana);
  await page.getByRole("button", { name: "Nota privada" }).click();
  await page
    .getByRole("textbox", { name: "Nota privada para el equipo" })
    .fill("Ojo, cliente de toda la vida");
  await page.keyboard.press("Enter");
  await expect(bubbles(page).last()).toContainText("Nota privada");
  await expect(bubbles(page).last()).toContainText("Ojo, cliente de toda la vida");
  await expect(rowOf(page, ana)).toContainText("Nota: Ojo");
  expect((await threadOf(api, ana.id)).at(-1)).toMatchObject({ kind: "note" });
});

test("assign, label, pin, snooze and close by mouse, and take it back", async ({ page, api }) => {
  const ana = await writer(api, "Ana");
  const label = await api.post<{ id: string }>("/labels", {
    name: `VIP ${ana.address.slice(-4)}`,
    color: "#f5b83d",
  });
  await open(page, ana);
  await page.getByRole("button", { name: "Asignar", exact: true }).click();
  await page.getByRole("option", { name: /\(tú\)/ }).click();
  await expect(page.getByText("Asignada a")).toBeVisible();
  await expect(rowOf(page, ana)).toContainText("La lleva");
  await page.getByRole("button", { name: "Etiquetar" }).click();
  await page.getByRole("option", { name: `VIP ${ana.address.slice(-4)}` }).click();
  await page.keyboard.press("Escape");
  await expect(rowOf(page, ana)).toContainText(`VIP ${ana.address.slice(-4)}`);
  await page.getByRole("button", { name: "Más acciones" }).click();
  await page.getByRole("menuitem", { name: "Fijar" }).click();
  await expect(rowOf(page, ana).getByRole("img", { name: "Fijada" })).toBeVisible();
  await expect
    .poll(() => api.get<Record<string, unknown>>(`/conversations/${ana.id}`))
    .toMatchObject({ is_pinned: true, label_ids: [label.id], assignee_id: expect.any(String) });
  await page.getByRole("button", { name: "Posponer" }).click();
  await page.getByRole("option", { name: /Dentro de una semana/ }).click();
  await expect(rowOf(page, ana)).toHaveCount(0);
  await page.getByRole("button", { name: "Deshacer" }).last().click();
  await expect(rowOf(page, ana)).toBeVisible();
  await rowOf(page, ana).click();
  await page.getByRole("button", { name: "Cerrar", exact: true }).first().click();
  await expect(rowOf(page, ana)).toHaveCount(0);
  await page.getByRole("button", { name: /^Estado:/ }).click();
  await page.getByRole("menuitemradio", { name: /Cerradas/ }).click();
  await expect(rowOf(page, ana)).toBeVisible();
  await expect(page).toHaveURL(/state=closed/);
  await expect.poll(async () => (await conversationState(api, ana.id)).state).toBe("closed");
});

const conversationState = (api: { get: <T>(path: string) => Promise<T> }, id: string) =>
  api.get<{ state: string; assignee_id: string | null; unread_count: number }>(`/conversations/${id}`);

test("UX-02: everything of a conversation by the keyboard alone, with the focus in sight", async ({
  page,
  api,
}) => {
  const second = await writer(api, "Luis", "¿Tenéis hueco mañana?");
  const first = await writer(api, "Ana", "Quiero cambiar mi dirección");
  await page.goto("/inbox");
  await expect(rowOf(page, first)).toBeVisible();
  const focus = page.locator(":focus-visible");
  await page.keyboard.press("j");
  await expect(focus).toHaveAttribute("data-conversation", first.id);
  await page.keyboard.press("j");
  await expect(focus).toHaveAttribute("data-conversation", second.id);
  await page.keyboard.press("k");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(new RegExp(`conversation=${first.id}`));
  await page.keyboard.press("r");
  await expect(composer(page)).toBeFocused();
  await page.keyboard.type("Claro. ¿Cuál es la nueva?");
  await page.keyboard.press("Enter");
  await expect(bubbles(page).last()).toContainText("Claro. ¿Cuál es la nueva?");
  await page.keyboard.press("Escape");
  await expect(focus).toHaveAttribute("data-conversation", first.id);
  await page.keyboard.press("n");
  await page.keyboard.type("Cambiarla también en la póliza");
  await page.keyboard.press("Enter");
  await expect(bubbles(page).last()).toContainText("Cambiarla también en la póliza");
  await page.keyboard.press("Escape");
  await page.keyboard.press("a");
  // who there is to choose from is asked for
  await expect(page.getByRole("option").first()).toBeVisible();
  await page.keyboard.press("Enter");
  await expect.poll(async () => (await conversationState(api, first.id)).assignee_id).not.toBeNull();
  await page.keyboard.press("p");
  await expect(rowOf(page, first).getByRole("img", { name: "Fijada" })).toBeVisible();
  await page.keyboard.press("e");
  await expect(rowOf(page, first)).toHaveCount(0);
  // the next one is there to be worked on
  await expect(page).toHaveURL(new RegExp(`conversation=${second.id}`));
  await expect(bubbles(page).last()).toContainText("¿Tenéis hueco mañana?");
  await expect.poll(async () => (await conversationState(api, second.id)).unread_count).toBe(0);
  await page.keyboard.press("u");
  await expect.poll(async () => (await conversationState(api, second.id)).unread_count).toBe(1);
  await expect(rowOf(page, second)).toContainText("1 mensaje sin leer");
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill("nueva conv");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog", { name: "Nueva conversación" })).toBeVisible();
  const address = freshNumber();
  await page.keyboard.type(address);
  await page.keyboard.press("Enter");
  await expect(page.getByText("Aquí empieza la conversación")).toBeVisible();
  expect((await conversationOf(api, address)).state).toBe("active");
});

test("RT-01: after a minute without the feed the screen is what the server says, badges too, without a reload", async ({
  page,
  api,
}) => {
  // the browser's minute passes at once; what it is told afterwards, the server has kept
  await page.clock.install();
  const feed = await gateOfFeed(page);
  const ana = await writer(api, "Ana");
  const luis = await writer(api, "Luis");
  const me = (await api.get<{ user: { id: string } }>("/session")).user.id;
  await open(page, ana);
  await expect(rowOf(page, luis)).toBeVisible();
  await expect.poll(async () => (await conversationState(api, ana.id)).unread_count).toBe(0);
  await feed.shut();
  await expect(page.getByText(/Sin conexión/)).toBeVisible();
  const before = feed.told.length;
  const lists: string[] = [];
  page.on("request", (request) => {
    if (/\/api\/v1\/(conversations\?|labels|users|lines)/.test(request.url())) lists.push(request.url());
  });
  for (const text of ["uno", "dos", "tres"]) await theirs.write(ana.address, text);
  for (const text of ["cuatro", "cinco"]) await theirs.write(luis.address, text);
  for (const { id } of [ana, luis]) await api.send("PATCH", `/conversations/${id}`, { assignee_id: me });
  await expect.poll(async () => (await threadOf(api, ana.id)).length).toBe(4);
  await expect.poll(async () => (await threadOf(api, luis.id)).length).toBe(3);
  await expect(thread(page)).not.toContainText("tres");
  const refused = feed.refused();
  await page.clock.runFor(60_000);
  await expect.poll(() => feed.refused() - refused).toBeGreaterThan(0);
  await expect(page.getByText(/Sin conexión/)).toBeVisible();
  await expect(thread(page)).not.toContainText("tres");
  expect(lists, "nothing is asked for while it is cut").toEqual([]);
  feed.open();
  // its own next try, at the latest of all
  await page.clock.runFor(30_000);
  await expect(bubbles(page).last()).toContainText("tres");
  await expect(rowOf(page, luis)).toContainText("cinco");
  await expect(rowOf(page, luis)).toContainText("3 mensajes sin leer");
  for (const one of [ana, luis]) await expect(rowOf(page, one)).toContainText("La lleva");
  // what was missed was told, so no list had to be read anew
  expect(feed.told[before]).toMatchObject({ kind: "hello", is_resumed: true });
  expect(feed.told.slice(before).map(({ kind }) => kind)).not.toContain("resync_required");
  expect(lists).toEqual([]);
  const texts = (await bubbles(page).allInnerTexts()).map((text) => text.split("\n")[0]);
  expect(texts).toEqual((await threadOf(api, ana.id)).map(({ body }) => body));
  const rows = await page
    .locator("[data-conversation]")
    .evaluateAll((found) => found.map((row) => row.getAttribute("data-conversation")));
  const { items } = await api.get<{ items: { id: string }[] }>("/conversations?state=active&limit=200");
  expect(rows.length).toBeGreaterThan(1);
  expect(rows).toEqual(items.slice(0, rows.length).map(({ id }) => id));
  // what is open is read a moment after it is seen, so the server's own numbers still move
  await expect(async () => expect(await badgesOf(page)).toEqual(await badgesBy(api))).toPass({
    timeout: 20_000,
  });
});

/** Each number of the inbox on the screen: of the navigation, of the tab of the browser, of the lists. */
async function badgesOf(page: Page) {
  const number = async (tab: string) => {
    const text = await page.getByRole("button", { name: new RegExp(`^${tab} \\d`) }).innerText();
    return Number(/\d+/.exec(text)?.[0]);
  };
  const badge = page.getByRole("navigation").first().locator("[data-unread]");
  return {
    unread: Number((await badge.getAttribute("data-unread")) ?? 0),
    title: await titleCount(page),
    mine: await number("Mías"),
    unassigned: await number("Sin asignar"),
    all: await number("Todas"),
  };
}

async function badgesBy(api: Api) {
  const counts =
    await api.get<Record<"all_unread" | "mine" | "unassigned" | "active", number>>("/conversations/counts");
  const { all_unread: unread, mine, unassigned, active: all } = counts;
  return { unread, title: unread, mine, unassigned, all };
}

test("UX-01: reading back does not move what is read, and what comes in does not take the place away", async ({
  page,
  api,
}) => {
  const ana = await writer(api, "Ana", "El primero");
  await theirs.write(
    ana.address,
    "Relleno con palabras para que ocupe más de una línea. ".repeat(4),
    "iMessage",
    160,
  );
  await expect
    .poll(async () => (await conversationState(api, ana.id)).unread_count, { timeout: 60_000 })
    .toBe(161);
  const pages: string[] = [];
  page.on("response", (response) => {
    if (response.url().includes("before=")) pages.push(response.url());
  });
  await open(page, ana);
  const log = thread(page);
  await expect(bubbles(page).last()).toBeVisible();
  /** The first message that is whole in sight, and where it stands. */
  const anchor = () =>
    log.evaluate((element) => {
      const top = element.getBoundingClientRect().top;
      const rows = [...element.querySelectorAll<HTMLElement>("[data-key]")].filter((row) =>
        row.querySelector("article"),
      );
      const seen = rows
        .map((row) => ({ key: row.dataset["key"] ?? "", y: row.getBoundingClientRect().top - top }))
        .filter(({ y }) => y >= 0)
        .sort((a, b) => a.y - b.y);
      return seen[0] ?? { key: "", y: 0 };
    });
  const placeOf = (key: string) =>
    log.evaluate((element, wanted) => {
      const row = element.querySelector(`[data-key="${wanted}"]`);
      return row ? row.getBoundingClientRect().top - element.getBoundingClientRect().top : Number.NaN;
    }, key);
  let worst = 0;
  for (let step = 0; step < 400 && !(await log.innerText()).includes("El primero"); step++) {
    await log.evaluate((element) => element.scrollBy(0, -150));
    const { key, y } = await anchor();
    // two frames: what was asked for is there, drawn and measured, or is still on its way and looked at in the next step
    await page.evaluate(
      () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
    );
    const now = await placeOf(key);
    if (!Number.isNaN(now)) worst = Math.max(worst, Math.abs(now - y));
  }
  expect(pages.length).toBeGreaterThanOrEqual(3);
  expect(worst).toBeLessThanOrEqual(1);
  const before = await anchor();
  await theirs.write(ana.address, "Uno más");
  await expect(page.getByRole("button", { name: "1 nuevo" })).toBeVisible();
  expect(Math.abs((await placeOf(before.key)) - before.y)).toBeLessThanOrEqual(1);
  await page.getByRole("button", { name: "1 nuevo" }).click();
  await expect(bubbles(page).last()).toContainText("Uno más");
  await expect.poll(async () => (await conversationState(api, ana.id)).unread_count).toBe(0);
});

test("what could not be saved keeps its text, and is saved once when it is tried again", async ({
  page,
  api,
}) => {
  const ana = await writer(api, "Ana");
  const feed = await gateOfFeed(page);
  await open(page, ana);
  await expect(bubbles(page)).toHaveCount(1);
  await feed.shut();
  // the server takes it, and the answer is lost on the way
  let losses = 1;
  await page.route(`**/api/v1/conversations/${ana.id}/messages`, async (route) => {
    if (route.request().method() !== "POST" || losses-- <= 0) return route.continue();
    await route.fetch();
    return route.abort();
  });
  await composer(page).fill("Importante");
  await page.keyboard.press("Enter");
  const pending = page.getByRole("article", { name: "Mensaje que aún no está guardado" });
  await expect(pending).toContainText("No se guardó. No hay conexión con el servidor.");
  await expect(pending).toContainText("Importante");
  await page.getByRole("button", { name: "Reintentar" }).click();
  await expect(pending).toHaveCount(0);
  await expect(bubbles(page)).toHaveCount(2);
  await expect(bubbles(page).last()).toContainText("Importante");
  const said = (await threadOf(api, ana.id)).filter(({ body }) => body === "Importante");
  expect(said).toHaveLength(1);
});

test("two in one conversation know of each other, and read each for themselves", async ({
  page,
  api,
  browser,
}) => {
  const ana = await writer(api, "Ana");
  const email = `luisa${ana.address.slice(-4)}@demo.example`;
  const { invitation_url: link } = await api.post<{ invitation_url: string }>("/users", {
    name: "Luisa Prado",
    email,
    role: "agent",
  });
  const password = "una clave bastante larga";
  const { base } = stack();
  const context = await browser.newContext({
    baseURL: base,
    locale: "es-ES",
    storageState: { cookies: [], origins: [] },
    extraHTTPHeaders: { origin: base },
  });
  const token = link.split("/").at(-1) ?? "";
  expect((await context.request.post(`/api/v1/invitations/${token}`, { data: { password } })).ok()).toBe(
    true,
  );
  expect((await context.request.post("/api/v1/session", { data: { email, password } })).ok()).toBe(true);
  await theirs.write(ana.address, "¿Hay alguien?");
  await open(page, ana);
  await expect(bubbles(page).last()).toContainText("¿Hay alguien?");
  await expect(rowOf(page, ana)).not.toContainText("sin leer");
  const other = await context.newPage();
  await other.goto("/inbox");
  // what one has read is still unread for the other
  await expect(rowOf(other, ana)).toContainText("1 mensaje sin leer");
  await rowOf(other, ana).click();
  await expect(other.getByText("Demo Owner también está viendo esta conversación")).toBeVisible();
  await expect(page.getByText("Luisa Prado también está viendo esta conversación")).toBeVisible();
  await composer(other).pressSequentially("Hola");
  await expect(page.getByText("Luisa Prado está respondiendo aquí")).toBeVisible();
  await other.keyboard.press("Enter");
  await expect(bubbles(page).last()).toContainText("Hola");
  await expect(bubbles(page).last()).toContainText("Luisa Prado");
  await other.close();
  await context.close();
});

test("search finds names and words whatever their accents, and opens at the message", async ({
  page,
  api,
}) => {
  const ana = await writer(api, "Íñigo", "La póliza del camión vence en marzo");
  await theirs.write(ana.address, "Relleno para que quede lejos. ".repeat(6), "iMessage", 70);
  await expect.poll(async () => (await conversationState(api, ana.id)).unread_count).toBe(71);
  await page.goto("/inbox");
  await expect(rowOf(page, ana)).toBeVisible();
  await page.keyboard.press("/");
  const field = page.getByRole("textbox", { name: "Buscar en las conversaciones" });
  await expect(field).toBeFocused();
  await page.keyboard.type("i");
  await expect(page.getByText("antes de ese día")).toBeVisible();
  await field.fill(`inigo ${ana.address.slice(-4)}`);
  const results = page.getByRole("region", { name: "Resultados" });
  await expect(results.getByRole("link", { name: new RegExp(ana.title) })).toBeVisible();
  await field.fill("poliza camion");
  const hit = results.getByRole("link", { name: new RegExp(ana.title) }).first();
  await expect(hit).toContainText("La póliza del camión");
  await hit.click();
  await expect(page).toHaveURL(/message=/);
  await expect(bubbles(page).filter({ hasText: "La póliza del camión vence en marzo" })).toBeInViewport();
  await page.getByRole("button", { name: "Ir al último" }).click();
  await expect(page).not.toHaveURL(/message=/);
  await expect(bubbles(page).last()).toBeInViewport();
  await field.focus();
  await page.keyboard.press("Escape");
  await expect(rowOf(page, ana)).toBeVisible();
});

test("somebody who opted out is written to only by who says so", async ({ page, api }) => {
  const ana = await writer(api, "Ana");
  await theirs.write(ana.address, "STOP");
  await expect
    .poll(async () => (await api.get<{ suppression: string | null }>(`/conversations/${ana.id}`)).suppression)
    .toBe("opted_out");
  await open(page, ana);
  await expect(page.getByText("Este contacto pidió no recibir más mensajes.")).toBeVisible();
  await composer(page).fill("Solo una cosa más");
  await page.keyboard.press("Enter");
  await expect(composer(page)).toHaveValue("Solo una cosa más");
  await page.getByRole("button", { name: "Escribir de todos modos" }).click();
  await page.keyboard.press("Enter");
  await expect(bubbles(page).last()).toContainText("Solo una cosa más");
  await page.getByRole("button", { name: "Permitir mensajes" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Permitir" }).click();
  await expect(page.getByText("Se le puede escribir")).toBeVisible();
  await expect(page.getByText("Vas a escribir a alguien")).toHaveCount(0);
});

test("a canned reply is filled in, an emoji is found by its Spanish name, and a draft outlives a reload", async ({
  page,
  api,
}) => {
  const ana = await writer(api, "Ana");
  const shortcut = `hola${ana.address.slice(-4)}`;
  await api.post("/canned-replies", { shortcut, body: "Hola {{firstName|amigo}}, ¿en qué te ayudo?" });
  await open(page, ana);
  await composer(page).click();
  await page.keyboard.type(`/${shortcut.slice(0, 6)}`);
  await expect(page.getByRole("option", { name: new RegExp(shortcut) })).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(composer(page)).toHaveValue("Hola Ana, ¿en qué te ayudo?");
  await page.getByRole("button", { name: "Emojis" }).click();
  await page.getByRole("searchbox", { name: "Buscar un emoji" }).fill("corazón rojo");
  // at once: what is taken is what was asked for, not what was there before
  await page.keyboard.press("Enter");
  await expect(composer(page)).toHaveValue(/^Hola Ana, ¿en qué te ayudo\?❤️?$/u);
  await expect(composer(page)).toBeFocused();
  await expect
    .poll(
      async () => (await api.get<{ body: string }>(`/conversations/${ana.id}/draft`).catch(() => null))?.body,
    )
    .toMatch(/^Hola Ana/);
  await page.reload();
  await expect(composer(page)).toHaveValue(/^Hola Ana/);
  await page.keyboard.press("r");
  await page.keyboard.press("Enter");
  await expect(bubbles(page).last()).toContainText("Hola Ana");
  await page.reload();
  await expect(bubbles(page).last()).toContainText("Hola Ana");
  await expect(composer(page)).toHaveValue("");
});

test("filters narrow the list, stand in the address, and are kept under a name", async ({ page, api }) => {
  const ana = await writer(api, "Ana");
  const luis = await writer(api, "Luis");
  const name = `Sin leer ${ana.address.slice(-4)}`;
  await api.send("PUT", `/conversations/${luis.id}/read`, { position: 9_999_999_999 });
  await page.goto("/inbox");
  await page.getByRole("button", { name: "Filtros" }).click();
  await page.getByRole("checkbox", { name: "Sin leer" }).check();
  await expect(page).toHaveURL(/unread=true/);
  await page.getByRole("textbox", { name: "Guardar este filtro como" }).fill(name);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  await expect(rowOf(page, ana)).toBeVisible();
  await expect(rowOf(page, luis)).toHaveCount(0);
  await page.getByRole("button", { name: "Quitar el filtro Sin leer" }).click();
  await expect(rowOf(page, luis)).toBeVisible();
  await page.getByRole("button", { name: "Filtros" }).click();
  await page.getByRole("button", { name: new RegExp(`^${name}`) }).click();
  await expect(rowOf(page, luis)).toHaveCount(0);
  await page.goBack();
  await expect(rowOf(page, luis)).toBeVisible();
});

test("the inbox in both languages and sizes", async ({ page, api }) => {
  const ana = await writer(api, "Ana", "Hola, ¿me pasáis el presupuesto del seguro?");
  await theirs.write(freshNumber(), "¿Abrís los sábados?", "SMS");
  await theirs.write(freshNumber(), "Thanks!", "RCS");
  const { id } = ana;
  await api.post(`/conversations/${id}/messages`, { body: "¡Claro, Ana! Ahora mismo te lo preparo." });
  await api.post(`/conversations/${id}/messages`, { body: "Cliente desde 2019.", kind: "note" });
  await expect
    .poll(async () => (await threadOf(api, id)).find(({ direction }) => direction === "outbound")?.status)
    .toBe("read");
  await theirs.write(ana.address, "¡Gracias! ¿Puedo pagar en dos veces?");
  await expect.poll(async () => (await threadOf(api, id)).length).toBe(4);
  await page.goto("/inbox");
  await look(page, "inbox", (page) => expect(rowOf(page, ana)).toBeVisible());
  await page.goto(`/inbox?conversation=${id}`);
  const isOpen = (page: Page) => expect(page.getByRole("log").getByRole("article").last()).toBeVisible();
  await look(page, "inbox-thread", isOpen);
  await page.goto(`/inbox?conversation=${id}&panel=true`);
  await look(page, "inbox-panel", (page) =>
    expect(page.getByText(/Se le puede escribir|May be written to/)).toBeVisible(),
  );
  await page.goto("/inbox?state=archived");
  await look(page, "inbox-empty", (page) =>
    expect(page.getByText(/No hay conversaciones archivadas|Nothing is archived/)).toBeVisible(),
  );
});
