import type { WebSocketRoute } from "@playwright/test";

import { expect, test } from "./fixtures";

test("what happened while the feed was cut is on the screen after it, without a reload", async ({
  page,
  api,
}) => {
  const open: WebSocketRoute[] = [];
  const asked: string[] = [];
  let isCut = false;
  await page.routeWebSocket(/\/api\/v1\/live/, (socket) => {
    asked.push(socket.url());
    if (isCut) {
      void socket.close({ code: 1001 });
      return;
    }
    socket.connectToServer();
    open.push(socket);
  });
  await page.goto("/imports");
  await expect(page.getByRole("heading", { name: "Importar" })).toBeVisible();
  await expect.poll(() => open.length).toBe(1);
  // while it is open, the feed alone brings what is new
  await api.importCsv("first_name,phone\nA,+13055590001\n", "mientras.csv");
  await expect(page.getByRole("row", { name: /mientras\.csv.*Terminada/ })).toBeVisible();
  const seen = asked.length;

  isCut = true;
  await open[0]?.close({ code: 1001 });
  await expect(page.getByRole("status").filter({ hasText: "Sin conexión" })).toBeVisible();
  await api.importCsv("first_name,phone\nB,+13055590002\n", "durante.csv");
  await expect(page.getByText("durante.csv")).toBeHidden();
  isCut = false;
  await expect(page.getByRole("row", { name: /durante\.csv.*Terminada/ })).toBeVisible({ timeout: 60_000 });
  await expect(page.getByText("Sin conexión")).toBeHidden();
  // it said what it had seen last
  expect(asked.slice(seen).every((url) => /last_seq=\d+$/.test(url))).toBe(true);
});

test("a session that ends elsewhere ends here within seconds, and leads back after the log-in", async ({
  browser,
  playwright,
}) => {
  const { loggedOut, stack } = await import("./fixtures");
  const { base, email, password } = stack();
  const request = await playwright.request.newContext({
    baseURL: base,
    storageState: loggedOut(),
    extraHTTPHeaders: { origin: base },
  });
  await request.post("/api/v1/session", { data: { email, password } });
  const context = await browser.newContext({
    baseURL: base,
    storageState: await request.storageState(),
    locale: "es-ES",
  });
  const page = await context.newPage();
  await page.goto("/campaigns");
  await expect(page.getByRole("heading", { name: "Campañas" })).toBeVisible();
  expect((await request.delete("/api/v1/session")).status()).toBe(204);
  await expect(page.getByRole("heading", { name: "Inicia sesión" })).toBeVisible({ timeout: 10_000 });
  await expect(page).toHaveURL(/to=%2Fcampaigns/);
  await context.close();
  await request.dispose();
});
