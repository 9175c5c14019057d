import { lineOf, isSaved, next, people, step } from "./campaign-fixtures";
import { expect, look, test } from "./fixtures";
import { conversationOf, threadOf } from "./inbox-fixtures";

test("CAM-14: a label or a filter is counted while it is chosen, and the reasons add up before the launch", async ({
  page,
  api,
}) => {
  const line = await lineOf(api, "De etiquetas");
  const file = await people(api, "etiquetas.csv", 400, 6);
  const { items } = await api.get<{ items: { id: string; phone: string }[] }>(
    `/contacts?import_id=${file}&limit=50`,
  );
  const vip = await api.post("/contact-labels", { name: "Vip de campañas" });
  const pair = await api.post("/contact-labels", { name: "Pareja de campañas" });
  for (const { id } of items) await api.send("PUT", `/contacts/${id}/labels/${vip.id}`);
  for (const { id } of items.slice(0, 2)) await api.send("PUT", `/contacts/${id}/labels/${pair.id}`);
  const twin = await api.post("/contacts", { first_name: "Gemela", phone: "+13055570400" });
  const nobody = await api.post("/contacts", { first_name: "Sin móvil", email: "sin@example.test" });
  for (const { id } of [twin, nobody]) await api.send("PUT", `/contacts/${id}/labels/${vip.id}`);
  await api.post("/suppressions", { address: "+13055570402", reason: "blacklisted" });
  await api.post("/suppressions", { address: "+13055570403", reason: "opted_out" });

  await page.goto("/campaigns/new");
  await page.getByLabel("Nombre", { exact: true }).fill("Solo vip");
  await page.getByLabel("Línea").selectOption(line);
  await page.getByLabel("Los que tienen una etiqueta").check();
  await expect(page.getByText("Elige a quién y verás cuántos son")).toBeVisible();
  await next(page);
  await expect(page.getByText("Elige al menos una etiqueta")).toBeVisible();
  await page.getByLabel("Pareja de campañas").check();
  await expect(page.getByText("Lo recibirán 2 de 2")).toBeVisible();
  // numbers of the choice before say so for as long as the new ones are on their way
  let letGo: () => void = () => undefined;
  const held = new Promise<void>((done) => (letGo = done));
  await page.route("**/api/v1/campaigns/audience", async (route) => {
    await held;
    await route.continue();
  });
  await page.getByLabel("Vip de campañas").check();
  await expect(page.getByText("Cifras de antes")).toBeVisible();
  letGo();
  await expect(page.getByText("Lo recibirán 4 de 8")).toBeVisible();
  await page.unroute("**/api/v1/campaigns/audience");
  const table = page.getByRole("table", { name: "Audiencia" });
  for (const [reason, count] of [
    ["Sin teléfono", "−1"],
    ["Teléfono repetido", "−1"],
    ["Bloqueado", "−1"],
    ["Se dio de baja", "−1"],
  ] as const) {
    await expect(table.getByRole("row", { name: reason })).toContainText(count);
  }
  await look(page, "campaign-labels", (page) => expect(page.getByText(/4 de 8|4 of 8/)).toBeVisible());

  // any filter of the contacts' screen will do as well
  await page.getByLabel("Los que cumplen un filtro").check();
  await page.getByRole("button", { name: "Filtros" }).click();
  await page.getByLabel("Importación", { exact: true }).selectOption({ index: 1 });
  await page.getByLabel("Buscar por nombre, teléfono o correo").fill("nombre 5");
  await expect(page.getByText("Lo recibirá 1 de 1")).toBeVisible();
  await look(page, "campaign-filter", (page) => expect(page.getByText(/1 de 1|1 of 1/)).toBeVisible());
  await page.getByLabel("Los que tienen una etiqueta").check();
  await next(page);
  await page.getByLabel("Texto").fill("Hola {{firstName}}");
  await isSaved(page);
  await step(page, 4);
  await expect(page.getByRole("definition").filter({ hasText: "Vip de campañas" })).toBeVisible();
  await expect(page.getByRole("row", { name: /Lo recibirán/ })).toContainText("4");
  const id = new URL(page.url()).searchParams.get("draft") ?? "";
  const kept = await api.get<{ audience: { label_ids: string[] } }>(`/campaigns/${id}`);
  expect(kept.audience.label_ids.toSorted()).toEqual([vip.id, pair.id].toSorted());
});

test("a text is seen as a contact gets it, and a test of it arrives once", async ({ page, api }) => {
  const line = await lineOf(api, "De pruebas");
  await api.post("/contacts", { first_name: "Zulema", phone: "+13055570450" });
  await api.post("/suppressions", { address: "+13055570452", reason: "opted_out" });
  const { id } = await api.post("/campaigns", { name: "A prueba", line_id: line, body: "Hola" });
  await page.goto(`/campaigns/${id}?step=message`);
  await page.getByLabel("Texto").fill("Hola {{firstName|amiga}}, ya está");
  await page.getByRole("button", { name: "Ver con otro contacto" }).click();
  await page.getByLabel("Contacto de ejemplo").first().fill("Zulema");
  await page.getByRole("option", { name: /Zulema/ }).click();
  await expect(page.getByText("Hola Zulema, ya está")).toBeVisible();
  await expect(page.getByText(/Por esta letra .*: á/)).toBeVisible();

  const to = page.getByLabel("Enviar una prueba a");
  const send = page.getByRole("button", { name: "Enviar prueba" });
  await to.fill("305");
  await send.click();
  await expect(page.getByText("Este teléfono no existe")).toBeVisible();
  await to.fill("+13055570452");
  await send.click();
  await expect(page.getByText("Esa persona se dio de baja")).toBeVisible();
  // an answer that is lost on its way is asked for again, and nothing is sent twice
  let lost = 0;
  await page.route("**/api/v1/campaigns/test", async (route) => {
    if (lost++ > 0) return route.continue();
    await route.fetch();
    await route.abort();
  });
  await to.fill("+13055570451");
  await send.click();
  await expect(page.getByText("No hay conexión con el servidor")).toBeVisible();
  await send.click();
  await expect(page.getByText("Prueba enviada a +1 305 557 0451")).toBeVisible();
  const conversation = await conversationOf(api, "+13055570451");
  await expect
    .poll(async () => (await threadOf(api, conversation.id)).map(({ body }) => body))
    .toEqual(["Hola Zulema, ya está"]);
  expect(lost).toBe(2);
  await page.getByRole("button", { name: "Sin contacto" }).click();
  await expect(page.getByText("Hola amiga, ya está")).toBeVisible();
});

test("CAM-05: hours, pace and deadline are refused at their field, kept, and shown back before the launch", async ({
  page,
  api,
}) => {
  const line = await lineOf(api, "Con horario");
  const { id } = await api.post("/campaigns", { name: "De oficina", line_id: line, body: "Hola" });
  await page.goto(`/campaigns/${id}?step=timing`);
  await page.getByLabel("Solo ciertos días y horas").check();
  await page.getByLabel("Desde").fill("21:30");
  await page.getByLabel("Hasta").fill("23:00");
  await expect(page.getByLabel("Hasta")).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByText("fuera de las horas permitidas")).toBeVisible();
  await page.getByLabel("Desde").fill("18:00");
  await page.getByLabel("Hasta").fill("09:00");
  await expect(page.getByText("Elige al menos un día")).toBeVisible();
  // one field that is refused does not keep the others from being saved
  await page.getByLabel("Mensajes", { exact: true }).fill("1.5");
  await expect(page.getByText("Escribe un número entero")).toBeVisible();
  await page.getByLabel("Mensajes", { exact: true }).fill("300");
  await page.getByLabel("Cada", { exact: true }).selectOption("hora");
  await expect
    .poll(async () => (await api.get<{ pace: unknown }>(`/campaigns/${id}`)).pace)
    .toEqual({ count: 300, per: "hour" });
  await page.getByLabel("Fecha límite").fill("2020-01-01T10:00");
  await expect(page.getByText("La fecha límite ya pasó")).toBeVisible();
  await look(page, "campaign-timing-refused", (page) =>
    expect(page.getByRole("alert").first()).toBeVisible(),
  );
  await page.getByLabel("Desde").fill("09:00");
  await page.getByLabel("Hasta").fill("18:00");
  await page.getByLabel("sábado").check();
  await page.getByLabel("lunes").uncheck();
  await page.getByLabel("Por el reloj de").selectOption({ label: "cada contacto" });
  await page.getByLabel("Fecha límite").fill("2099-12-31T18:00");
  await isSaved(page);
  // half a date is not none: what was saved before it stays
  await page.getByLabel("Fecha límite").press("Backspace");
  await expect(page.getByText("Está a medias")).toBeVisible();
  expect((await api.get<{ ends_at: string | null }>(`/campaigns/${id}`)).ends_at).toMatch(/^(2099|2100)/);
  await page.getByLabel("Fecha límite").fill("2099-12-31T18:00");
  await isSaved(page);
  await look(page, "campaign-timing", (page) => expect(page.getByRole("radiogroup")).toBeVisible());
  await next(page);
  await expect(page.getByLabel("Horas de envío")).toHaveText(
    "martes, miércoles, jueves, viernes y sábado, de 09:00 a 18:00, por el reloj de cada contacto",
  );
  await expect(page.getByLabel("Ritmo")).toHaveText("300 mensajes por hora");
  await expect(page.getByLabel("Fecha límite")).toContainText("2099");
  await page.getByRole("button", { name: "Cambiar: Cuándo" }).click();
  await expect(page.getByLabel("Desde")).toHaveValue("09:00");
  // down to the smallest phone
  await page.setViewportSize({ width: 360, height: 640 });
  for (const place of [1, 2, 3, 4] as const) {
    await step(page, place);
    await expect(page.getByRole("heading", { level: 2 }).first()).toBeFocused();
    const excess = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(excess).toBeLessThanOrEqual(0);
  }
});

test("what can't be saved yet outlives a reload, and leaving with it is asked about", async ({
  page,
  api,
}) => {
  await lineOf(api, "De dudas");
  await page.goto("/campaigns");
  await page.getByRole("link", { name: "Nueva campaña" }).first().click();
  await page.getByLabel("Nombre", { exact: true }).fill("A medias");
  await page.getByRole("link", { name: "Campañas" }).first().click();
  const asked = page.getByRole("alertdialog");
  await expect(asked).toContainText("¿Salir sin guardar?");
  await asked.getByRole("button", { name: "Cancelar" }).click();
  await expect(page.getByLabel("Nombre", { exact: true })).toHaveValue("A medias");
  await page.reload();
  await expect(page.getByLabel("Nombre", { exact: true })).toHaveValue("A medias");
  await next(page);
  await page.getByLabel("Texto").fill("Hola");
  // what can be saved is saved on the way out, without a question
  await page.getByRole("link", { name: "Campañas" }).first().click();
  await expect(page).toHaveURL(/\/campaigns$/);
  await page.getByRole("link", { name: "A medias" }).click();
  await page.getByRole("button", { name: "Cambiar: Mensaje" }).click();
  await expect(page.getByLabel("Texto")).toHaveValue("Hola");
  await page.getByLabel("Texto").fill("Hola {{");
  await page.getByRole("link", { name: "Campañas" }).first().click();
  await page.getByRole("button", { name: "Salir sin guardar" }).click();
  await expect(page).toHaveURL(/\/campaigns$/);
  // a name that is taken is told where the name stands, from whichever step
  await page.goto("/campaigns/new?step=message");
  await page.getByLabel("Texto").fill("Hola");
  await step(page, 1);
  await page.getByLabel("Nombre", { exact: true }).fill("A medias");
  await expect(page.getByText("Ya hay una campaña con ese nombre")).toBeVisible();
  await page.getByLabel("Nombre", { exact: true }).fill("Entera");
  await isSaved(page);
});
