import { expect, look, stack, test } from "./fixtures";

test.describe("the operator", () => {
  test.use({ storageState: { cookies: [], origins: [] } });

  test.beforeEach(async ({ page }) => {
    await page.goto("/operations");
    await page.getByRole("button", { name: "Con la clave de la instalación" }).click();
    await page.getByLabel("Clave de operador").fill(stack().operatorToken);
    await page.keyboard.press("Enter");
    await expect(page.getByRole("link", { name: "Colas" })).toBeVisible();
  });

  test("sees queues and workers, and leaves nothing open behind", async ({ page }) => {
    await expect(page).toHaveURL(/\/operations\/queues$/);
    await expect(page.getByRole("cell", { name: "outbound", exact: true })).toBeVisible();
    await expect(page.getByText("Activo", { exact: true }).first()).toBeVisible();
    await page.getByRole("button", { name: "Cerrar sesión" }).click();
    const byToken = page.getByRole("button", { name: "Con la clave de la instalación" });
    await expect(byToken).toBeVisible();
    await page.reload();
    await expect(byToken).toBeVisible();
    await page.goto("/operations/audit");
    await expect(byToken).toBeVisible();
  });

  test("is told when the token is wrong", async ({ page }) => {
    await page.getByRole("button", { name: "Cerrar sesión" }).click();
    await page.getByRole("button", { name: "Con la clave de la instalación" }).click();
    await page.getByLabel("Clave de operador").fill("no es esta");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("alert")).toHaveText(/no es la clave de operador/);
  });

  test("pauses a gate with a reason, is told why a job waits before it, and resumes it", async ({
    page,
    playwright,
  }) => {
    const { base, state } = stack();
    const tenant = await playwright.request.newContext({
      baseURL: base,
      storageState: state,
      extraHTTPHeaders: { origin: base },
    });
    const steer = async (act: string, reason: string) => {
      await page.getByRole("link", { name: "Puertas" }).click();
      await page
        .getByRole("button", { name: /^Acciones de line\/[^/]+$/ })
        .first()
        .click();
      await page.getByRole("menuitem", { name: act }).click();
      await page.getByLabel("Motivo").fill(reason);
      await page.keyboard.press("Enter");
      await expect(page.getByText(`Hecho: ${act}`)).toBeVisible();
    };
    await steer("Pausar", "mantenimiento del Mac");
    await expect(page.getByRole("cell", { name: /En pausa/ })).toContainText("mantenimiento del Mac");

    const { items } = (await (await tenant.get("/api/v1/lines")).json()) as { items: { id: string }[] };
    const text = {
      kind: "messaging.send_text",
      payload: { line_id: items[0]?.id, address: "+13055550177", text: "Hola" },
    };
    const made = await tenant.post("/api/v1/jobs", { data: { jobs: [text] } });
    expect(await made.text()).toContain('"enqueued"');

    await page.getByRole("link", { name: "Trabajos" }).click();
    await page
      .getByRole("row", { name: /messaging\.send/ })
      .first()
      .getByRole("button")
      .click();
    await expect(page.getByRole("dialog")).toContainText(
      /La puerta line\/.* está en pausa desde .* mantenimiento del Mac/,
    );
    await page.keyboard.press("Escape");

    await steer("Reanudar", "ya funciona");
    await page.getByRole("link", { name: "Auditoría" }).click();
    await expect(page.getByRole("row", { name: /ya funciona/ })).toBeVisible();
    await tenant.dispose();
  });

  test("sees when a schedule will fire", async ({ page }) => {
    await page.getByRole("link", { name: "Horarios" }).click();
    const row = page.getByRole("row", { name: /messaging\.sweep_lines/ });
    await row.getByRole("button").first().click();
    await expect(page.getByRole("dialog").getByRole("listitem")).toHaveCount(50);
  });

  for (const [tab, heading] of [
    ["tenants", /Cuentas|Tenants/],
    ["plans", /Planes|Plans/],
    ["usage", /Uso|Usage/],
    ["operators", /Operadores|Operators/],
    ["stays", /Dentro de cuentas|Inside tenants/],
    ["queues", /Colas|Queues/],
    ["jobs", /Trabajos|Jobs/],
    ["lanes", /Carriles|Lanes/],
    ["gates", /Puertas|Gates/],
    ["batches", /Lotes|Batches/],
    ["schedules", /Horarios|Schedules/],
    ["audit", /Auditoría|Audit/],
  ] as const) {
    test(`has a screen of ${tab} that everybody can read`, async ({ page }) => {
      await page.goto(`/operations/${tab}`);
      await look(page, `operations-${tab}`, async (page) => {
        await expect(page.getByRole("heading", { level: 2, name: heading }).first()).toBeVisible();
        await expect(page.getByRole("status")).toHaveCount(0);
        await expect(page.getByRole("alert")).toHaveCount(0);
      });
    });
  }
});
