/** Files of messages: attached in every way, kept, refused, sent and shown; and what a message that failed can still become. */
import type { Page } from "@playwright/test";

import { expect, expectAccessible, look, test } from "./fixtures";
import { bubbles, composer, open, theirs, thread, threadOf, writer } from "./inbox-fixtures";

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FAAhKDveksOjmAAAAAElFTkSuQmCC",
  "base64",
);
const photo = (name: string) => ({ name, mimeType: "image/png", buffer: PNG });
const paper = (name: string) => ({
  name,
  mimeType: "application/pdf",
  buffer: Buffer.from("%PDF-1.4 precio"),
});

const tray = (page: Page) => page.getByRole("list", { name: "Archivos adjuntos" });
const input = (page: Page) => page.locator('form input[type="file"]');

/** Files as the browser hands them on when they are pasted or dropped. */
async function hand(page: Page, way: "paste" | "drop", made: string): Promise<void> {
  const data = await page.evaluateHandle((script) => {
    const transfer = new DataTransfer();
    const file =
      script === "large" ? largeFile() : new File(script === "empty" ? [] : ["texto"], `${script}.txt`);
    transfer.items.add(file);
    return transfer;
    function largeFile() {
      return new File(Array<Uint8Array<ArrayBuffer>>(101).fill(new Uint8Array(1024 * 1024)), "grande.mov");
    }
  }, made);
  if (way === "drop") {
    const target = page.getByRole("region", { name: "Conversación abierta" });
    await target.dispatchEvent("dragover", { dataTransfer: data });
    await target.dispatchEvent("drop", { dataTransfer: data });
    return;
  }
  await composer(page).evaluate((field, clipboardData) => {
    field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, data);
}

test("files are attached by button, paste and drag, taken out, and sent with a text", async ({
  page,
  api,
}) => {
  const ana = await writer(api, "Ana");
  await open(page, ana);
  await input(page).setInputFiles([photo("foto.png"), paper("precio.pdf")]);
  await expect(tray(page).getByRole("listitem")).toHaveCount(2);
  await hand(page, "paste", "pegado");
  await hand(page, "drop", "soltado");
  await expect(tray(page).getByRole("listitem")).toHaveCount(4);
  await expect(tray(page).getByRole("progressbar")).toHaveCount(0);
  await page.getByRole("button", { name: "Quitar pegado.txt" }).click();
  await page.getByRole("button", { name: "Quitar soltado.txt" }).click();
  await expect(tray(page).getByRole("img")).toHaveCount(0);
  await composer(page).fill("Te mando la foto y el precio");
  await page.keyboard.press("Enter");
  await expect(tray(page)).toBeHidden();
  await expect(bubbles(page).last()).toContainText("Te mando la foto y el precio");
  await expect(bubbles(page).last().getByRole("button", { name: "Ampliar foto.png" })).toBeVisible();
  await expect(
    bubbles(page)
      .last()
      .getByRole("link", { name: /precio\.pdf/ }),
  ).toBeVisible();
  await expect
    .poll(async () => (await threadOf(api, ana.id)).at(-1)?.status, { timeout: 20_000 })
    .toMatch(/sent|delivered|read/);
  const sent = (await threadOf(api, ana.id)).at(-1);
  expect(sent?.media.map(({ name }) => name)).toEqual(["foto.png", "precio.pdf"]);
  // a file alone
  await input(page).setInputFiles([photo("sola.png")]);
  await expect(tray(page).getByRole("progressbar")).toHaveCount(0);
  await page.getByRole("button", { name: "Enviar" }).click();
  await expect(bubbles(page).last().getByRole("button", { name: "Ampliar sola.png" })).toBeVisible();
  await expect(page.locator(`[data-conversation="${ana.id}"]`)).toContainText("Tú: Foto");
});

test("a draft keeps its files over a reload, and looks right everywhere", async ({ page, api }) => {
  const ana = await writer(api, "Ana");
  await open(page, ana);
  await input(page).setInputFiles([photo("terraza con vistas al mar.png"), paper("presupuesto.pdf")]);
  await expect(tray(page).getByRole("progressbar")).toHaveCount(0);
  await expect
    .poll(
      async () =>
        (await api.get<{ media: unknown[] }>(`/conversations/${ana.id}/draft`).catch(() => null))?.media
          .length,
    )
    .toBe(2);
  await page.reload();
  await expect(tray(page).getByRole("listitem")).toHaveCount(2);
  await look(page, "inbox-files", async (page) => {
    await expect(page.getByRole("list", { name: /Archivos adjuntos|Attached files/ })).toContainText(
      "presupuesto.pdf",
    );
  });
  // a note has none
  await page.getByRole("button", { name: "Nota privada" }).click();
  await page.getByRole("textbox", { name: "Nota privada para el equipo" }).fill("es cliente");
  await page.keyboard.press("Enter");
  await expect(page.getByText(/Una nota no lleva archivos/).first()).toBeVisible();
  await expectAccessible(page);
  for (const name of ["terraza con vistas al mar.png", "presupuesto.pdf"]) {
    await page.getByRole("button", { name: `Quitar ${name}` }).click();
  }
  await page.getByRole("button", { name: "Guardar nota" }).click();
  await expect(bubbles(page).last()).toContainText("es cliente");
});

test("what can not be sent is refused in words, and what was cut off is tried again", async ({
  page,
  api,
}) => {
  const ana = await writer(api, "Ana");
  await open(page, ana);
  await hand(page, "drop", "large");
  await expect(tray(page)).toContainText("Es demasiado grande: caben 100 MB");
  await hand(page, "drop", "empty");
  await expect(tray(page)).toContainText("Está vacío");
  await composer(page).fill("hola");
  await page.keyboard.press("Enter");
  await expect(page.getByText(/Hay un archivo que no se ha subido/).first()).toBeVisible();
  await page.getByRole("button", { name: "Quitar grande.mov" }).click();
  await page.getByRole("button", { name: "Quitar empty.txt" }).click();

  // the network goes away
  await page.route("**/api/v1/media", (route) => route.abort(), { times: 1 });
  await input(page).setInputFiles([photo("foto.png")]);
  await expect(tray(page).getByRole("alert")).toContainText("No hay conexión");
  await page.getByRole("button", { name: "Subir otra vez foto.png" }).click();
  await expect(tray(page).getByRole("alert")).toHaveCount(0);
  await expect(tray(page).getByRole("progressbar")).toHaveCount(0);

  // one that is still on its way holds the message back, and nothing of it is lost
  let letGo: () => void = () => undefined;
  const held = new Promise<void>((done) => (letGo = done));
  await page.route(
    "**/api/v1/media",
    async (route) => {
      await held;
      await route.continue();
    },
    { times: 1 },
  );
  await input(page).setInputFiles([paper("lento.pdf")]);
  await expect(page.getByRole("progressbar", { name: "Subiendo lento.pdf" })).toBeVisible();
  await composer(page).press("Enter");
  await expect(page.getByText(/Espera a que terminen de subir/).first()).toBeVisible();
  letGo();
  await expect(page.getByRole("progressbar")).toHaveCount(0);
  await composer(page).press("Enter");
  await expect(bubbles(page).last()).toContainText("hola");
  await expect
    .poll(async () => (await threadOf(api, ana.id)).at(-1)?.media.map(({ name }) => name))
    .toEqual(["foto.png", "lento.pdf"]);

  await input(page).setInputFiles(Array.from({ length: 11 }, (_, n) => paper(`p${n}.pdf`)));
  await expect(page.getByText(/lleva 10 archivos como mucho/).first()).toBeVisible();
  await expect(tray(page).getByRole("listitem")).toHaveCount(10);
});

/** SEC-01 */
test("a page or a drawing that comes in is a download and never shown", async ({ page, api }) => {
  const ana = await writer(api, "Ana");
  await open(page, ana);
  const evil = "<svg xmlns='http://www.w3.org/2000/svg' onload='document.title=\"owned\"'/>";
  await theirs.send(ana.address, { name: "a.svg", mimeType: "image/svg+xml", buffer: Buffer.from(evil) });
  await theirs.send(ana.address, {
    name: "a.html",
    mimeType: "text/html",
    buffer: Buffer.from("<script>document.title='owned'</script>"),
  });
  for (const name of ["a.svg", "a.html"]) {
    const link = thread(page).getByRole("link", { name: new RegExp(name.replace(".", "\\.")) });
    await expect(link).toBeVisible({ timeout: 20_000 });
    await expect(link).toHaveAttribute("download", name);
    const download = page.waitForEvent("download");
    await link.click();
    expect((await download).suggestedFilename()).toBe(name);
    // also where somebody opens its address by hand
    const answer = await page.request.get((await link.getAttribute("href")) ?? "");
    expect(answer.headers()["content-type"]).toBe("application/octet-stream");
    expect(answer.headers()["content-security-policy"]).toContain("sandbox");
  }
  await expect(thread(page).locator("img, svg image, iframe, object, embed")).toHaveCount(0);
  expect(await page.title()).not.toContain("owned");
});

test("a message that failed is sent as SMS once it was asked, and both tries are seen", async ({
  page,
  api,
}) => {
  const ana = await writer(api, "Ana");
  await theirs.rule({ address: ana.address, behaviour: "bad_request", times: 1 });
  await open(page, ana);
  await composer(page).fill("¿Te llamo mañana?");
  await page.keyboard.press("Enter");
  const button = thread(page).getByRole("button", { name: "Mandar por SMS" });
  await expect(button).toBeVisible({ timeout: 20_000 });
  await button.click();
  await expect(page.getByRole("alertdialog")).toContainText("¿Mandarlo por SMS?");
  await expectAccessible(page);
  await page.getByRole("button", { name: "Cancelar" }).click();
  expect((await threadOf(api, ana.id)).at(-1)?.attempts).toHaveLength(0);
  await button.click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Mandar por SMS" }).click();
  await expect(button).toHaveCount(0);
  const tries = thread(page).getByRole("list", { name: "Intentos" });
  await expect(tries.getByRole("listitem")).toHaveCount(2);
  await expect(tries).toContainText("Intento 2 por SMS");
  await expect
    .poll(
      async () =>
        (await threadOf(api, ana.id)).at(-1)?.attempts.map(({ service, status }) => [service, status]),
      {
        timeout: 20_000,
      },
    )
    .toEqual([
      ["imessage", "failed"],
      ["sms", expect.stringMatching(/sent|delivered/)],
    ]);
});

test("of two who send it as SMS at once it goes out once, and the second is told so", async ({
  page,
  api,
}) => {
  const ana = await writer(api, "Ana");
  await theirs.rule({ address: ana.address, behaviour: "bad_request", times: 1 });
  await open(page, ana);
  await composer(page).fill("Hasta luego");
  await page.keyboard.press("Enter");
  const button = thread(page).getByRole("button", { name: "Mandar por SMS" });
  await button.click({ timeout: 20_000 });
  // somebody else was quicker, and the word of it has not come yet
  await page.route("**/send-as-sms", async (route) => {
    await api
      .post(`/messages/${(await threadOf(api, ana.id)).at(-1)?.id}/send-as-sms`)
      .catch(() => undefined);
    await route.continue();
  });
  await page.getByRole("alertdialog").getByRole("button", { name: "Mandar por SMS" }).click();
  await expect(page.getByText("Este mensaje ya se mandó por SMS.")).toBeVisible();
  await expect(thread(page).getByRole("list", { name: "Intentos" }).getByRole("listitem")).toHaveCount(2);
  await expect(button).toHaveCount(0);
  expect(await threadOf(api, ana.id)).toHaveLength(2);
});
