/** A person's data: a copy of all of it, and then that it is gone. */
import { expect, expectAccessible, look, test } from "./fixtures";

test.beforeEach(({ api }) => api.prove());

test("a contact is copied, the copy is fetched, and then everything is erased", async ({ page, api }) => {
  const contact = await api.post("/contacts", { first_name: "Olvido", phone: "+13055559077" });
  await page.goto(`/contacts?q=Olvido&contact=${contact.id}`);
  const panel = page.getByRole("dialog", { name: "Olvido" });
  await panel.getByRole("button", { name: "Copiar todo" }).click();
  await expect(page.getByText("Se está haciendo la copia")).toBeVisible();
  await page.goto("/settings/privacy");
  const copy = page.getByRole("row").filter({ hasText: "Una copia" }).first();
  await expect(copy).toContainText("Hecho");
  const waiting = page.waitForEvent("download");
  await copy.getByRole("link", { name: "Descargar" }).click();
  const download = await waiting;
  expect(download.suggestedFilename()).toMatch(/^contact-.*-1\.zip$/);
  await look(page, "privacy", (page) => expect(page.getByRole("row").nth(1)).toBeVisible());

  await page.goto(`/contacts?q=Olvido&contact=${contact.id}`);
  await panel.getByRole("button", { name: "Borrar todo" }).click();
  const question = page.getByRole("alertdialog");
  await expect(question).toContainText("¿Borrar todo lo de Olvido?");
  await expectAccessible(page);
  await question.getByRole("button", { name: "Borrar todo" }).click();
  await expect(page.getByText("Se está borrando")).toBeVisible();
  await expect(page.getByRole("row").filter({ hasText: "Olvido" })).toHaveCount(0);
  await page.goto("/settings/privacy");
  await expect(page.getByRole("row").filter({ hasText: "Borrado" }).first()).toContainText("Hecho");
  // the copy went with it
  await expect(copy.getByRole("link")).toHaveCount(0);
});
