/** Webhooks: made with a secret that is shown once, tried, seen in the log, told once more, switched off and deleted. */
import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";

import { expect, expectAccessible, look, test } from "./fixtures";

interface Post {
  headers: IncomingHttpHeaders;
  body: string;
}

/** A customer's program, on this machine. */
async function receiver(): Promise<{
  url: string;
  posts: Post[];
  answer: (status: number) => void;
  server: Server;
}> {
  const posts: Post[] = [];
  let status = 200;
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      posts.push({ headers: request.headers, body });
      response.writeHead(status).end(status === 200 ? "thanks" : "not today");
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a port was expected");
  const url = `http://127.0.0.1:${address.port}/paloma`;
  return { url, posts, answer: (next) => (status = next), server };
}

const isSigned = ({ headers, body }: Post, secret: string) => {
  const [id, at] = [String(headers["webhook-id"]), String(headers["webhook-timestamp"])];
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const wanted = createHmac("sha256", key).update(`${id}.${at}.${body}`).digest("base64");
  return String(headers["webhook-signature"]).split(" ").includes(`v1,${wanted}`);
};

test.beforeEach(({ api }) => api.prove());

test("a webhook is made, told, read of in its log, told once more and deleted", async ({ page, api }) => {
  const mine = await receiver();
  await page.goto("/");
  await page
    .getByRole("button", { name: /^Menú de/ })
    .first()
    .click();
  await page.getByRole("menuitem", { name: "Ajustes" }).click();
  await page.getByRole("link", { name: "Webhooks" }).click();
  await expect(page.getByText("Aún no hay webhooks")).toBeVisible();
  await page.getByRole("button", { name: "Nuevo webhook" }).click();
  const form = page.getByRole("dialog", { name: "Nuevo webhook" });
  await form.getByLabel("Dirección").fill("https://169.254.169.254/");
  await form.getByLabel("Para qué es").fill("La tienda");
  await form.getByLabel("Etiqueta cambiada").check();
  await expectAccessible(page);
  await form.getByRole("button", { name: "Nuevo webhook" }).click();
  await expect(form.getByRole("alert").filter({ hasText: "servidor de internet" })).toBeVisible();
  await form.getByLabel("Dirección").fill(mine.url);
  await form.getByRole("button", { name: "Nuevo webhook" }).click();
  const shown = page.getByRole("dialog", { name: "Secreto de firma" });
  const secret = await shown.getByRole("textbox").inputValue();
  expect(secret).toMatch(/^whsec_/);
  await expectAccessible(page);
  await shown.getByRole("button", { name: "Cerrar" }).first().click();

  const row = page.getByRole("row").filter({ hasText: "La tienda" });
  await expect(row).toContainText("Activo");
  await look(page, "webhooks", () => expect(row).toBeVisible());
  mine.answer(500);
  const { id } = await api.post("/labels", { name: `Webhooks ${Date.now()}` });
  await expect.poll(() => mine.posts.length).toBeGreaterThan(0);
  await row.getByRole("link").click();
  const told = page.getByRole("row").filter({ hasText: "Etiqueta cambiada" });
  const again = page.getByRole("button", { name: "Actualizar" });
  await expect(async () => {
    await again.click();
    await expect(page.getByText("No acepta nada desde el")).toBeVisible({ timeout: 1000 });
  }).toPass();
  await expect(told).toContainText("En espera");
  await told.click();
  const delivery = page.getByRole("dialog", { name: "Etiqueta cambiada" });
  await expect(delivery).toContainText("not today");
  await expect(delivery).toContainText(id);
  await expectAccessible(page);
  mine.answer(200);
  await delivery.getByRole("button", { name: "Reenviar" }).click();
  await expect.poll(() => mine.posts.length).toBeGreaterThan(1);
  await expect(async () => {
    await again.click();
    await expect(told).toContainText("Entregada", { timeout: 1000 });
  }).toPass();
  expect(new Set(mine.posts.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
  expect(mine.posts.every((post) => isSigned(post, secret))).toBe(true);
  await look(page, "webhook", (page) => expect(page.getByRole("row").nth(1)).toBeVisible());

  await page.getByRole("link", { name: "Volver a los webhooks" }).click();
  const act = async (name: string) => {
    await row.getByRole("button", { name: /^Acciones de/ }).click();
    await page.getByRole("menuitem", { name }).click();
  };
  await act("Nuevo secreto");
  await page.getByLabel("El secreto anterior sigue firmando").selectOption("hour");
  await page.getByRole("dialog").getByRole("button", { name: "Nuevo secreto" }).click();
  const another = await page.getByRole("textbox", { name: "Secreto de firma" }).inputValue();
  await page.getByRole("dialog").getByRole("button", { name: "Cerrar" }).first().click();
  const before = mine.posts.length;
  await act("Enviar una prueba");
  await expect.poll(() => mine.posts.length).toBe(before + 1);
  const ping = mine.posts.at(-1) as Post;
  expect([isSigned(ping, secret), isSigned(ping, another)]).toEqual([true, true]);
  await act("Apagar");
  await expect(row).toContainText("Apagado");
  await act("Eliminar");
  await page.getByRole("alertdialog").getByRole("button", { name: "Eliminar" }).click();
  await expect(page.getByText("Aún no hay webhooks")).toBeVisible();
  await api.send("DELETE", `/labels/${id}`);
  mine.server.close();
});
