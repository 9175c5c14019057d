/** The platform's operators: people who come in by a link, see to tenants, and enter one with its banner up. */
import { codeOf } from "./authenticator";
import { expect, expectAccessible, look, stack, test } from "./fixtures";

const PASSWORD = "una contraseña larga";

test.describe("an operator of the platform", () => {
  test.use({ storageState: { cookies: [], origins: [] } });

  test("is invited, comes in with a code, limits and suspends a tenant, and enters it for a while", async ({
    page,
  }) => {
    const stamp = Date.now();
    await page.goto("/operations/operators");
    await page.getByRole("button", { name: "Con la clave de la instalación" }).click();
    await page.getByLabel("Clave de operador").fill(stack().operatorToken);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Invitar" }).click();
    await page.getByLabel("Nombre").fill("Eva Operadora");
    await page.getByLabel("Correo").fill(`eva.${stamp}@plataforma.example`);
    await page.getByLabel("Motivo").fill("entra en el equipo");
    await page.getByRole("dialog").getByRole("button", { name: "Invitar" }).click();
    const link = await page.getByLabel("Enlace", { exact: true }).inputValue();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Cerrar sesión" }).click();

    await page.goto(link);
    const secret = await page.getByLabel("O escribe este secreto").inputValue();
    await page.getByLabel("Contraseña").fill(PASSWORD);
    await page.getByLabel("Código del autenticador").fill(codeOf(secret));
    await page.getByRole("button", { name: "Poner ambos" }).click();
    await page.getByRole("link", { name: "Entrar", exact: true }).click();
    await page.getByLabel("Correo electrónico").fill(`eva.${stamp}@plataforma.example`);
    await page.getByLabel("Contraseña").fill(PASSWORD);
    // the code that set it up has been used
    await page.getByLabel("Código de tu autenticador").fill(codeOf(secret, 1));
    await page.getByRole("button", { name: "Entrar", exact: true }).click();

    await page.getByRole("link", { name: "Planes" }).click();
    await page.getByRole("button", { name: "Nuevo plan" }).click();
    await page.getByLabel("Nombre").fill("Pequeño");
    await page.getByLabel("Código").fill(`pequeno-${stamp}`);
    await page.getByLabel("Personas").fill("1");
    await page.getByLabel("Motivo").fill("lo vendemos");
    await page.getByRole("button", { name: "Guardar" }).click();
    await expect(page.getByRole("row", { name: /Pequeño/ }).first()).toContainText("Personas: 1");

    await page.getByRole("link", { name: "Cuentas", exact: true }).click();
    await page.getByRole("button", { name: "Nueva cuenta" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Nombre", { exact: true }).fill("Norte");
    await dialog.getByLabel("Alias").fill(`norte-${stamp}`);
    await dialog.getByLabel("Nombre de quien la posee").fill("Olga");
    await dialog.getByLabel("Correo").fill(`olga.${stamp}@example.com`);
    await dialog.getByLabel("Contraseña").fill(PASSWORD);
    await dialog.getByRole("button", { name: "Crearla" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Norte" })).toBeVisible();
    await page.getByRole("button", { name: "Suspender" }).click();
    await page.getByLabel("Motivo").fill("una factura");
    await page.getByRole("dialog").getByRole("button", { name: "Suspender" }).click();
    await expect(page.getByText("Suspendida", { exact: true })).toBeVisible();
    await expect(page.getByText(/una factura/)).toBeVisible();
    await page.getByRole("button", { name: "Activar" }).click();
    await page.getByLabel("Motivo").fill("pagada");
    await page.getByRole("dialog").getByRole("button", { name: "Activar" }).click();
    await expect(page.getByText("Activa", { exact: true })).toBeVisible();
    await look(page, "platform-tenant", async (page) => {
      await expect(page.getByRole("heading", { level: 1, name: "Norte" })).toBeVisible();
      await expect(page.getByRole("row", { name: /Olga/ })).toBeVisible();
    });

    await page.getByRole("button", { name: "Entrar como Olga" }).click();
    await page.getByLabel("Motivo").fill("ticket 42");
    await page.getByRole("dialog").getByRole("button", { name: "Entrar", exact: true }).click();
    const banner = page.getByRole("region", { name: "Visita de la plataforma" });
    await expect(banner).toContainText("Eva Operadora, de la plataforma, está aquí como Olga");
    await expectAccessible(page);
    await page.goto("/settings/usage");
    await expect(banner).toBeVisible();
    await expect(page.getByText("Eva Operadora como Olga")).toBeVisible();
    await banner.getByRole("button", { name: "Terminar la visita" }).click();
    await expect(page.getByRole("link", { name: "Cuentas", exact: true })).toBeVisible();
    await page.goto("/inbox");
    await expect(page).toHaveURL(/\/login/);
    await page.goto("/operations/stays");
    await expect(page.getByRole("row", { name: /Norte/ })).toContainText("Terminó");
  });
});
