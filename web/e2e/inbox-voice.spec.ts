/** Voice messages from the composer: recorded with the browser's simulated microphone, listened to, thrown away, sent. */
import type { Page } from "@playwright/test";

import playwright from "../playwright.config";
import { expect, expectAccessible, expectStill, look, SCREENSHOTS, test } from "./fixtures";
import { bubbles, composer, open, thread, threadOf, writer } from "./inbox-fixtures";

const browser = playwright.use?.launchOptions;
test.use({
  launchOptions: {
    ...browser,
    args: [
      ...(browser?.args ?? []),
      "--use-fake-device-for-media-stream",
      "--autoplay-policy=no-user-gesture-required",
    ],
  },
});

const microphone = (page: Page) => page.getByRole("button", { name: "Grabar un mensaje de voz" });
const recorder = (page: Page) => page.getByRole("group", { name: "Mensaje de voz" });
const timer = (page: Page) => page.getByRole("timer", { name: "Tiempo grabado" });
const tray = (page: Page) => page.getByRole("list", { name: "Archivos adjuntos" });
const listen = (page: Page) => tray(page).getByRole("button", { name: "Escuchar el mensaje de voz" });

test.describe("with a microphone", () => {
  test.use({ permissions: ["microphone"] });

  test("a voice message is recorded, listened to and sent, and the bubble plays it", async ({
    page,
    api,
  }) => {
    const ana = await writer(api, "Ana");
    await open(page, ana);
    await microphone(page).click();
    await expect(recorder(page)).toContainText("Grabando");
    await expect(timer(page)).toHaveText(/^0:(0[2-9]|[1-5]\d) de 15:00$/);
    await expectAccessible(page);
    await expectStill(page);
    await page.screenshot({ path: `${SCREENSHOTS}voice-recording.desktop.es.png` });
    // what is not over is not sent
    await expect(page.getByRole("button", { name: "Enviar" })).toHaveAttribute("title", /Termina antes/);
    await recorder(page).getByRole("button", { name: "Terminar" }).click();
    await expect(recorder(page)).toBeHidden();
    await expect(tray(page).getByText(/^0:(0[2-9]|[1-5]\d)$/)).toBeVisible();
    await expect(tray(page).getByRole("progressbar")).toHaveCount(0);
    await listen(page).click();
    const pause = tray(page).getByRole("button", { name: "Parar de escuchar" });
    await expect(pause).toBeVisible();
    await expect(tray(page).getByText(/^0:(0[1-9]|[1-5]\d) \/ 0:(0[2-9]|[1-5]\d)$/)).toBeVisible();
    await expectAccessible(page);
    await page.screenshot({ path: `${SCREENSHOTS}voice-listening.desktop.es.png` });
    // heard to its end
    await expect(listen(page)).toBeVisible();
    await composer(page).focus();
    await page.keyboard.press("Enter");
    await expect(tray(page)).toBeHidden();
    await expect(bubbles(page).last().getByLabel("Mensaje de voz")).toBeVisible();
    await expect
      .poll(async () => (await threadOf(api, ana.id)).at(-1)?.status, { timeout: 60_000 })
      .toMatch(/sent|delivered|read/);
    const sent = (await threadOf(api, ana.id)).at(-1);
    expect(sent?.media).toMatchObject([{ kind: "audio", is_voice: true }]);
    // what the server made of it plays
    const player = bubbles(page).last().locator("audio");
    await expect
      .poll(() => player.evaluate((audio: HTMLAudioElement) => audio.src))
      .toContain("form=playable");
    const length = await player.evaluate(
      (audio: HTMLAudioElement) =>
        new Promise<number>((done) => {
          audio.addEventListener("loadedmetadata", () => done(audio.duration));
          audio.load();
        }),
    );
    expect(length).toBeGreaterThan(1.5);
    await look(page, "voice-sent", async (page) => {
      await expect(page.getByRole("article").last().locator("audio")).toBeVisible();
    });
  });

  test("by keys alone: recorded, thrown away by Escape, recorded again and kept over a reload", async ({
    page,
    api,
  }) => {
    const ana = await writer(api, "Ana");
    await open(page, ana);
    await microphone(page).focus();
    await page.keyboard.press("Enter");
    await expect(recorder(page).getByRole("button", { name: "Terminar" })).toBeFocused();
    await page.keyboard.press("Escape");
    await expect(recorder(page)).toBeHidden();
    await expect(tray(page)).toBeHidden();
    await expect(composer(page)).toBeFocused();
    // where one writes, Escape throws the recording away and goes nowhere
    await microphone(page).press("Enter");
    await expect(timer(page)).toBeVisible();
    await composer(page).fill("Te lo digo así:");
    await page.keyboard.press("Escape");
    await expect(recorder(page)).toBeHidden();
    await expect(composer(page)).toBeFocused();
    await microphone(page).press("Enter");
    await expect(timer(page)).toHaveText(/^0:(0[1-9]|[1-5]\d) de 15:00$/);
    await page.keyboard.press("Enter");
    await expect(composer(page)).toBeFocused();
    await expect(tray(page).getByRole("progressbar")).toHaveCount(0);
    await listen(page).focus();
    await page.keyboard.press("Escape");
    await expect(tray(page)).toBeHidden();
    await expect(composer(page)).toBeFocused();
    // whoever goes elsewhere meanwhile finds it in the draft, as a voice message
    await microphone(page).press("Enter");
    // long enough to be seen playing
    await expect(timer(page)).toHaveText(/^0:(0[3-9]|[1-5]\d) de 15:00$/);
    await page.getByRole("link", { name: "Contactos" }).click();
    await expect(page).toHaveURL(/contacts/);
    await expect
      .poll(async () => {
        const draft = await api
          .get<{ media: { is_voice: boolean }[] }>(`/conversations/${ana.id}/draft`)
          .catch(() => null);
        return draft?.media.map(({ is_voice }) => is_voice);
      })
      .toEqual([true]);
    await open(page, ana);
    await expect(listen(page)).toBeVisible();
    await listen(page).click();
    await expect(tray(page).getByRole("button", { name: "Parar de escuchar" })).toBeVisible();
    await page.setViewportSize({ width: 360, height: 740 });
    await page.screenshot({ path: `${SCREENSHOTS}voice-draft.narrow.es.png` });
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.getByRole("button", { name: "Enviar" }).click();
    await expect(bubbles(page).last()).toContainText("Te lo digo así:");
    await expect(bubbles(page).last().getByLabel("Mensaje de voz")).toBeVisible();
  });

  test("a recording that can't be uploaded says why, and is sent after a second try", async ({
    page,
    api,
    context,
  }) => {
    const ana = await writer(api, "Ana");
    await open(page, ana);
    // loaded with the first recording
    await microphone(page).click();
    await expect(timer(page)).toHaveText(/^0:(0[1-9]|[1-5]\d) de 15:00$/);
    await context.setOffline(true);
    await recorder(page).getByRole("button", { name: "Terminar" }).click();
    await expect(tray(page).getByRole("alert")).toContainText("No hay conexión con el servidor");
    await expect(listen(page)).toBeVisible();
    await context.setOffline(false);
    await tray(page)
      .getByRole("button", { name: /^Subir otra vez/ })
      .click();
    await expect(tray(page).getByRole("alert")).toBeHidden();
    await expect(tray(page).getByRole("progressbar")).toHaveCount(0);
    await page.getByRole("button", { name: "Enviar" }).click();
    await expect(bubbles(page).last().getByLabel("Mensaje de voz")).toBeVisible();
  });
});

test("a microphone that is refused is said, and a note takes no recording", async ({ page, api }) => {
  const ana = await writer(api, "Ana");
  await open(page, ana);
  await microphone(page).click();
  await expect(page.getByRole("alert").filter({ hasText: "no deja usar el micrófono" })).toBeVisible();
  await expectAccessible(page);
  await page.setViewportSize({ width: 360, height: 740 });
  await page.screenshot({ path: `${SCREENSHOTS}voice-refused.narrow.es.png` });
  await page.setViewportSize({ width: 1440, height: 900 });
  // nothing is lost: one can go on writing, and try again
  await page.context().grantPermissions(["microphone"]);
  await page.getByRole("button", { name: "Reintentar" }).click();
  await expect(timer(page)).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(thread(page)).toBeVisible();
  await page.getByRole("button", { name: "Nota privada" }).click();
  await expect(microphone(page)).toHaveAttribute("aria-disabled", "true");
});
