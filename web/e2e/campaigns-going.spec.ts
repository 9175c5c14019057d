import { lineOf, people } from "./campaign-fixtures";
import { expect, look, test } from "./fixtures";
import { conversationOf, theirs, threadOf } from "./inbox-fixtures";

test("errors lead by their cause to the recipients behind them, who can be downloaded", async ({
  page,
  api,
}) => {
  const line = await lineOf(api, "De fallos");
  const file = await people(api, "fallos.csv", 500, 4);
  for (const number of ["+13055570500", "+13055570501"])
    await theirs.rule({ address: number, behaviour: "bad_request" });
  const { id } = await api.post("/campaigns", {
    name: "Con fallos",
    line_id: line,
    import_id: file,
    body: "Hola {{firstName}}",
    quiet_hours: false,
  });
  await api.post(`/campaigns/${id}/launch`);
  await page.goto(`/campaigns/${id}`);
  await expect(page.getByText("Terminada")).toBeVisible({ timeout: 60_000 });
  const funnel = page.getByRole("table").filter({ hasText: "Responden" });
  await expect(funnel.getByRole("row", { name: /^Elegidos/ })).toContainText("4");
  await expect(funnel.getByRole("row", { name: /^Enviados/ })).toContainText("2");
  await expect(funnel.getByRole("row", { name: /^Fallidos/ })).toContainText("2");
  await expect(page.getByRole("img", { name: /^2 enviados/ })).toBeVisible();
  await page.getByText("Ver los números").click();
  await expect(page.getByRole("region", { name: "Envíos en el tiempo" }).getByRole("row")).not.toHaveCount(0);
  await page.getByRole("link", { name: "Ver quiénes: El Mac no aceptó el mensaje" }).click();
  await expect(page).toHaveURL(/state=failed&reason=/);
  const recipients = page.getByRole("region", { name: "Destinatarios" });
  await expect(recipients.getByRole("row")).toHaveCount(3);
  await expect(recipients.getByText("Nombre 0")).toBeVisible();
  await look(page, "campaign-causes", (page) =>
    expect(page.getByRole("link", { name: /^(Ver quiénes|See who)/ })).toBeVisible(),
  );
  const waiting = page.waitForEvent("download");
  await page.getByRole("link", { name: "Descargar CSV" }).click();
  const stream = await (await waiting).createReadStream();
  let csv = "";
  for await (const piece of stream) csv += String(piece);
  const lines = csv.trim().split("\r\n");
  expect(lines[0]).toContain("address,state,reason");
  expect(lines.slice(1).every((one) => one.includes(",failed,"))).toBe(true);
  expect(lines).toHaveLength(3);
  await page.getByRole("button", { name: /^Quitar el motivo/ }).click();
  await page.getByLabel("Estado de los destinatarios").selectOption({ label: "Todos" });
  await expect(recipients.getByRole("row")).toHaveCount(5);
});

test("D16: the text and the pace of a paused campaign are changed for those who have not got it", async ({
  page,
  api,
}) => {
  const line = await lineOf(api, "De cambios");
  const file = await people(api, "cambios.csv", 600, 4);
  const { id } = await api.post("/campaigns", {
    name: "Cambiada",
    line_id: line,
    import_id: file,
    body: "Antes",
    quiet_hours: false,
    pace: { count: 1, per: "hour" },
  });
  await api.post(`/campaigns/${id}/launch`);
  await page.goto(`/campaigns/${id}`);
  await expect(page.getByRole("status").filter({ hasText: "1 de 4" })).toBeVisible();
  await page.getByRole("button", { name: "Pausar" }).click();
  await page.getByLabel("Texto").fill("Después {{");
  await expect(page.getByText("Hay llaves sin cerrar")).toBeVisible();
  await page.getByLabel("Texto").fill("Después");
  await page.getByLabel("Mensajes", { exact: true }).fill("60000");
  await page.getByLabel("Cada", { exact: true }).selectOption("minuto");
  await page.getByRole("button", { name: "Guardar cambios" }).click();
  await expect(page.getByText("No hay cambios que guardar")).toBeVisible();
  await page.getByRole("button", { name: "Reanudar" }).click();
  await expect(page.getByText("Terminada")).toBeVisible({ timeout: 60_000 });
  const bodies = await Promise.all(
    [0, 1, 2, 3].map(async (n) => {
      const { id: thread } = await conversationOf(api, `+1305557060${n}`);
      return (await threadOf(api, thread)).map(({ body }) => body);
    }),
  );
  expect(bodies.flat().toSorted()).toEqual(["Antes", "Después", "Después", "Después"]);
});
