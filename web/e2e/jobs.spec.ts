import { lineOf } from "./campaign-fixtures";
import { expect, look, test } from "./fixtures";

test("what waits in the queue says why, and says so again when that changes", async ({ page, api }) => {
  const line = await lineOf(api, "Lenta", { rate_per_minute: 60 });
  const rows = Array.from({ length: 8 }, (_, n) => `P ${n},+130555801${n}0`);
  const id = await api.importCsv(`first_name,phone\n${rows.join("\n")}\n`, "cola.csv");
  const draft = {
    name: "En cola",
    line_id: line,
    import_id: id,
    body: "Hola {{firstName}}",
    rate_per_minute: 1,
    quiet_hours: false,
  };
  const campaign = await api.post("/campaigns", draft);
  await api.post(`/campaigns/${campaign.id}/launch`);
  const frozen = () => api.get<{ is_frozen: boolean }>(`/campaigns/${campaign.id}/progress`);
  await expect.poll(async () => (await frozen()).is_frozen).toBe(true);
  await api.post(`/campaigns/${campaign.id}/pause`);

  await page.goto("/jobs");
  await page.getByRole("link", { name: "Carriles" }).click();
  const lane = page.getByRole("link", { name: `campaign/${campaign.id}` });
  await expect(page.getByRole("row").filter({ has: lane })).toContainText("En pausa");
  await look(page, "jobs-lanes", (page) =>
    expect(page.getByRole("row").filter({ hasText: campaign.id })).toBeVisible(),
  );
  await lane.click();
  await expect(page).toHaveURL(/lane=\d+/);
  const waiting = page.getByRole("row").filter({ hasText: "En espera" });
  await expect(waiting.first()).toBeVisible();
  await look(page, "jobs", (page) => expect(page.getByRole("row").nth(1)).toBeVisible());
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  const panel = page.getByRole("dialog", { name: /^Trabajo \d+$/ });
  await expect(panel.getByText(/Su carril está en pausa desde/)).toBeVisible();
  await look(page, "job", (page) =>
    expect(page.getByRole("dialog").getByRole("listitem").first()).toBeVisible(),
  );
  // somebody resumes it elsewhere: the page finds out by itself
  await api.post(`/campaigns/${campaign.id}/resume`);
  await expect(panel.getByText(/Su carril está en pausa desde/)).toBeHidden();
  await api.post(`/campaigns/${campaign.id}/cancel`);
  await expect(panel.getByText("Cancelado", { exact: true }).first()).toBeVisible();
});

test("limits and batches are seen, and a batch is paused, resumed and cancelled", async ({ page, api }) => {
  const lines = await api.get<{ items: { id: string }[] }>("/lines");
  await page.goto("/jobs?tab=gates");
  await expect(page.getByTitle(`line/${lines.items[0]?.id}`, { exact: true })).toBeVisible();
  await look(page, "jobs-gates", (page) => expect(page.getByRole("row").nth(1)).toBeVisible());
  const batch = await api.post<{ id: number }>("/batches", { name: "Avisos de enero" });
  await page.goto("/jobs?tab=batches");
  const row = page.getByRole("row").filter({ hasText: "Avisos de enero" });
  const act = async (name: string) => {
    await row.getByRole("button", { name: "Cambiar Avisos de enero" }).click();
    await page.getByRole("menuitem", { name }).click();
  };
  await expect(row).toContainText("En curso");
  await act("Pausar");
  await expect(row).toContainText("En pausa");
  await look(page, "jobs-batches", (page) => expect(page.getByRole("row").nth(1)).toBeVisible());
  await act("Reanudar");
  await expect(row).toContainText("En curso");
  await act("Cancelar lote");
  await expect(row).toContainText("Cancelado");
  const state = (await api.get<{ state: string }>(`/batches/${batch.id}`)).state;
  expect(state).toBe("cancelled");
  await page.goto("/jobs?state=quarantined");
  await expect(page.getByText("No hay trabajos así")).toBeVisible();
});
