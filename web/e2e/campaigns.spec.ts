import { lineOf, isSaved, next, people, step, tabTo } from "./campaign-fixtures";
import { expect, look, test } from "./fixtures";

test("a campaign is made, checked, launched, paused, resumed and finished by the mouse", async ({
  page,
  api,
}) => {
  const line = await lineOf(api, "Línea rápida");
  const id = await people(api, "enero.csv", 0, 60);
  await api.post("/suppressions", { address: "+13055570003", reason: "blacklisted" });
  await page.goto(`/imports/${id}`);
  await page.getByRole("link", { name: "Escribirles" }).click();
  // nothing goes on without a name
  await expect(page.getByLabel("Nombre", { exact: true })).toBeFocused();
  await next(page);
  await expect(page.getByText("Ponle un nombre")).toBeVisible();
  await page.getByLabel("Nombre", { exact: true }).fill("Recordatorio");
  await page.getByLabel("Línea").selectOption(line);
  await expect(page.getByText("Lo recibirán 59 de 60")).toBeVisible();
  // what no server could keep yet outlives a reload
  await look(page, "campaign-audience", (page) =>
    expect(page.getByText(/Lo recibirán 59 de 60|59 of 60 get it/)).toBeVisible(),
  );
  await expect(page.getByLabel("Nombre", { exact: true })).toHaveValue("Recordatorio");
  await next(page);

  const text = page.getByLabel("Texto");
  await text.fill("Hola {{firstName");
  await expect(page.getByText("Hay llaves sin cerrar").first()).toBeVisible();
  await text.fill("Hola , tu cita está mañana.");
  await text.evaluate((area: HTMLTextAreaElement) => area.setSelectionRange(5, 5));
  await page.getByRole("button", { name: "firstName", exact: true }).click();
  await expect(text).toHaveValue("Hola {{firstName}}, tu cita está mañana.");
  // what the first of them would get, and what it costs
  await expect(page.getByText("Hola Nombre 0, tu cita está mañana.")).toBeVisible();
  await expect(page.getByText("UCS-2")).toBeVisible();
  await expect(page.getByText(/Por esta letra .*: á/)).toBeVisible();
  await isSaved(page);
  await expect(page).toHaveURL(/draft=/);
  await look(page, "campaign-message", (page) =>
    expect(page.getByText("Hola Nombre 0, tu cita está mañana.")).toBeVisible(),
  );
  await text.fill("Hola {{firstName}}, tu cita es mañana.");
  await next(page);

  await page.getByLabel("Mensajes", { exact: true }).fill("120");
  // whatever the time is where this runs
  await page.getByLabel(/Escribir solo en las horas permitidas/).uncheck();
  await next(page);

  // the check adds up before anything is sent
  const check = page.getByRole("table", { name: "Audiencia" });
  await expect(check.getByRole("row", { name: /Elegidos/ })).toContainText("60");
  await expect(check.getByRole("row", { name: /Bloqueado/ })).toContainText("−1");
  await expect(check.getByRole("row", { name: /Lo recibirán/ })).toContainText("59");
  await expect(page.getByLabel("Ritmo")).toHaveText("120 mensajes por minuto");
  await expect(page.getByLabel("Horas de descanso")).toContainText("también de noche");
  await look(page, "campaign-check", (page) => expect(page.getByRole("table").first()).toBeVisible());
  await page.getByRole("button", { name: "Lanzar" }).click();
  await expect(page.getByRole("alertdialog")).toContainText("59 personas");
  await page.getByRole("button", { name: "Lanzar ahora" }).click();

  await expect(page.getByText("En marcha")).toBeVisible();
  await expect(page.getByRole("status").filter({ hasText: /^[1-9]\d* de 59/ })).toBeVisible();
  await page.getByRole("button", { name: "Pausar" }).click();
  await expect(page.getByText("En pausa: no sale nada")).toBeVisible();
  await expect(page.getByText("En pausa", { exact: true })).toBeVisible();
  await look(page, "campaign-paused", (page) => expect(page.getByRole("progressbar")).toBeVisible());
  const campaign = page.url().split("/").at(-1) ?? "";
  await api.send("PATCH", `/campaigns/${campaign}`, { rate_per_minute: 60_000 });
  await page.getByRole("button", { name: "Reanudar" }).click();
  // nobody reloads: the feed tells
  await expect(page.getByText("Terminada")).toBeVisible({ timeout: 60_000 });
  await expect(page.getByRole("status").filter({ hasText: "59 de 59" })).toBeVisible();
  const numbers = await api.get<{ counts: Record<string, number>; skipped: Record<string, number> }>(
    `/campaigns/${campaign}/progress`,
  );
  expect(numbers.skipped).toEqual({ blacklisted: 1 });
  await page.getByLabel("Estado de los destinatarios").selectOption({ label: "Omitido" });
  await expect(page).toHaveURL(/state=skipped/);
  const recipients = page.getByRole("region", { name: "Destinatarios" });
  await expect(recipients.getByRole("row")).toHaveCount(2);
  await expect(recipients.getByText("Bloqueado")).toBeVisible();
  await page.goto(`/campaigns/${campaign}`);
  await look(page, "campaign-completed", (page) => expect(page.getByRole("progressbar")).toBeVisible());
});

test("the same by keys alone", async ({ page, api }) => {
  await lineOf(api, "A teclas");
  await people(api, "teclas.csv", 200, 5);
  await page.goto("/inbox");
  await expect(page.getByRole("navigation").first()).toBeVisible();
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  await expect(page).toHaveURL(/\/campaigns$/);
  await expect(page.getByRole("heading", { name: "Campañas" })).toBeVisible();
  await page.keyboard.press("n");
  await expect(page.getByLabel("Nombre", { exact: true })).toBeFocused();
  await page.keyboard.type("Con teclas");
  await tabTo(page, "Línea");
  await page.keyboard.type("A teclas");
  await tabTo(page, "Todos los contactos");
  await page.keyboard.press("ArrowDown");
  await tabTo(page, "Importación");
  await page.keyboard.type("teclas");
  await expect(page.getByText("Lo recibirán 5 de 5")).toBeVisible();
  const press = async (name: string) => {
    await tabTo(page, name, "button");
    await page.keyboard.press("Enter");
  };
  await press("Siguiente");
  await expect(page.getByRole("heading", { name: "¿Qué les dices?" })).toBeFocused();
  await tabTo(page, "Texto");
  await page.keyboard.type("Hola {{firstName|amigo}}");
  await press("Siguiente");
  await tabTo(page, "Mensajes");
  // one in five seconds, so that some are left when it is paused
  await page.keyboard.type("12");
  await tabTo(page, "Escribir solo en las horas permitidas, en la hora de cada persona");
  await page.keyboard.press("Space");
  await expect(page.getByLabel(/Escribir solo en las horas permitidas/)).not.toBeChecked();
  await press("Siguiente");
  await expect(page.getByRole("row", { name: /Lo recibirán/ })).toContainText("5");
  await press("Lanzar");
  await expect(page.getByRole("alertdialog")).toBeVisible();
  await press("Lanzar ahora");
  await expect(page.getByRole("status").filter({ hasText: /^[1-4] de 5/ })).toBeVisible();
  await page.keyboard.press("p");
  await expect(page.getByText("En pausa: no sale nada")).toBeVisible();
  await page.keyboard.press("p");
  await expect(page.getByText("Terminada")).toBeVisible({ timeout: 60_000 });
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  await expect(page.getByRole("link", { name: "Con teclas" })).toBeVisible();
  await look(page, "campaigns", (page) =>
    expect(page.getByRole("link", { name: "Con teclas" })).toBeVisible(),
  );
});

test("a text with a variable that nobody has is refused before the launch, and mended there", async ({
  page,
  api,
}) => {
  const line = await lineOf(api, "Errata");
  const id = await people(api, "errata.csv", 300, 2);
  const draft = { name: "Con errata", line_id: line, import_id: id, body: "Hola {{fistName}}" };
  const { id: campaign } = await api.post("/campaigns", draft);
  await page.goto(`/campaigns/${campaign}`);
  await expect(page.getByRole("alert")).toContainText("No existe esa variable");
  await expect(page.getByRole("button", { name: "Lanzar" })).toBeDisabled();
  await page.getByRole("button", { name: "Ir a «Mensaje»" }).click();
  await expect(page.getByRole("alert")).toContainText("No existe esa variable");
  await page.getByLabel("Texto").fill("Hola {{firstName}}");
  await isSaved(page);
  await step(page, 4);
  await expect(page.getByRole("row", { name: /Lo recibirán/ })).toContainText("2");
  await expect(page.getByRole("button", { name: "Lanzar" })).toBeEnabled();
});

test("a campaign is given a time, says so, and loses it again", async ({ page, api }) => {
  const line = await lineOf(api, "A su hora");
  const id = await people(api, "hora.csv", 320, 2);
  const draft = { name: "Para mañana", line_id: line, import_id: id, body: "Hola" };
  const { id: campaign } = await api.post("/campaigns", draft);
  await page.goto(`/campaigns/${campaign}?step=timing`);
  await page.getByLabel("Sola, a una hora").check();
  await page.getByLabel("Empieza el").fill("2020-01-01T10:00");
  await expect(page.getByText("Esa hora ya pasó")).toBeVisible();
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 16);
  await page.getByLabel("Empieza el").fill(tomorrow);
  await expect(page.getByText(/Por el reloj de este dispositivo: America\/New_York/)).toBeVisible();
  await next(page);
  await expect(page.getByLabel("Cuándo empieza")).toContainText("America/New_York");
  await page.getByRole("button", { name: "Programar", exact: true }).click();
  await page.getByRole("button", { name: "Programar campaña" }).click();
  await expect(page.getByText("Programada", { exact: true })).toBeVisible();
  await expect(page.getByText(/Se lanzará sola el .*America\/New_York/)).toBeVisible();
  expect((await api.get<{ state: string }>(`/campaigns/${campaign}`)).state).toBe("scheduled");
  await look(page, "campaign-scheduled", (page) =>
    expect(page.getByText(/Se lanzará sola el|It will be launched/)).toBeVisible(),
  );
  await page.getByLabel("Otra hora").fill("2020-01-01T10:00");
  await page.getByRole("button", { name: "Cambiar la hora" }).click();
  await expect(page.getByText("Esa hora ya pasó")).toBeVisible();
  await page.getByRole("button", { name: "Quitar la hora" }).click();
  await expect(page.getByText("Borrador", { exact: true })).toBeVisible();
});
