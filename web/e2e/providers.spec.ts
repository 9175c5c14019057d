/** An owner sets an identity provider up, and somebody invited comes in by it; the provider is a third party's (`make oidc-provider`). */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { expect, expectAccessible, look, stack, test } from "./fixtures";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The provider; null where it is not installed. */
async function start(): Promise<{ child: ChildProcess; issuer: string } | null> {
  const targets = execFileSync(join(ROOT, ".ci/target-dir"), { encoding: "utf8" }).trim();
  const kit = join(targets, "oidc-provider");
  if (!existsSync(join(kit, "version"))) return null;
  const child = spawn(process.execPath, [join(ROOT, "tests/oidc/provider.mjs"), kit], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("http://127.0.0.1:")) return { child, issuer: line };
  }
  throw new Error("the identity provider ended before it listened");
}

test("an owner sets an identity provider up, and somebody invited comes in by it", async ({
  page,
  browser,
  api,
}) => {
  const started = await start();
  if (!started) {
    expect(process.env["PALOMA_LEAVE_NOTHING_OUT"], "oidc-provider is not installed").toBeUndefined();
    test.skip(true, "oidc-provider is not installed: make oidc-provider");
    return;
  }
  const { child, issuer } = started;
  try {
    await api.prove();
    await page.goto("/settings/security");
    await page.getByRole("button", { name: "Añadir un proveedor" }).click();
    const form = page.getByRole("dialog", { name: "Añadir un proveedor" });
    await form.getByLabel("Nombre en el botón").fill("Acme ID");
    await form.getByLabel("Emisor").fill(issuer);
    await form.getByLabel("ID de cliente").fill("paloma");
    await form.getByLabel("Secreto de cliente").fill("canary-client-secret");
    await expectAccessible(page);
    await form.getByRole("button", { name: "Guardar" }).click();
    const set = page.getByRole("list", { name: "Proveedores de identidad" }).getByRole("listitem");
    await expect(set).toContainText(issuer);
    await expect(set).toContainText(/\/api\/v1\/session\/oidc\/[0-9a-f-]{36}\/callback/);
    await expectAccessible(page);

    const email = `eva.${Date.now()}@example.com`;
    await api.post("/users", { name: "Eva", email, role: "agent" });
    const person = { sub: email, email, email_verified: true, amr: ["pwd"] };
    await page.request.post(`${issuer}/_test`, { data: { person } });
    const { tenant } = await api.get<{ tenant: { slug: string } }>("/session");
    const context = await browser.newContext({
      baseURL: stack().base,
      locale: "es-ES",
      storageState: { cookies: [], origins: [] },
    });
    const eva = await context.newPage();
    await eva.goto("/login");
    await eva.getByRole("button", { name: "Entrar por tu empresa" }).click();
    await eva.getByLabel("Nombre corto de tu cuenta").fill(tenant.slug);
    await eva.getByRole("button", { name: "Mostrar" }).click();
    const way = eva.getByRole("button", { name: "Entrar con Acme ID" });
    await expect(way).toBeVisible();
    await look(eva, "log-in-providers", (page) =>
      expect(page.getByRole("button", { name: /Acme ID/ })).toBeVisible(),
    );
    await way.click();
    await expect(eva).toHaveURL(/\/inbox/);
    await eva.goto("/settings/security");
    const known = eva.getByRole("list", { name: "Entrar por otros" }).getByRole("listitem");
    await expect(known).toContainText(email);
    // it is her only way in
    await known.getByRole("button", { name: "Desvincular Acme ID" }).click();
    await eva.getByRole("alertdialog").getByRole("button", { name: "Desvincular" }).click();
    await expect(eva.getByText("Es tu única forma de entrar.", { exact: false })).toBeVisible();
    await context.close();

    await page.getByRole("button", { name: "Quitar Acme ID" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Quitar" }).click();
    await expect(set).toHaveCount(0);
  } finally {
    child.kill();
  }
});
