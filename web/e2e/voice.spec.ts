/** A voice message: what was said stands under its player and is found by search, in a real browser with a real model. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, look, stack, test } from "./fixtures";
import { bubbles, freshNumber, open, theirs, conversationOf } from "./inbox-fixtures";

const SAID =
  "Hello coach, I would like to book a tennis lesson for next Tuesday at three in the afternoon. Please call me back at the office.";

/** As a phone records it, spoken by a machine. */
function memo(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "paloma-voice-"));
  const [wave, caf] = [join(folder, "a.wav"), join(folder, "a.caf")];
  execFileSync("espeak-ng", ["-v", "en-us", "-s", "130", "-w", wave, SAID]);
  execFileSync("ffmpeg", ["-v", "error", "-i", wave, "-c:a", "libopus", "-ar", "24000", "-ac", "1", caf]);
  return readFileSync(caf);
}

test("what is said in a voice message is read under its player and found by search", async ({
  page,
  api,
}) => {
  const wanted = process.env["PALOMA_LEAVE_NOTHING_OUT"] !== undefined;
  test.skip(!stack().transcribes && !wanted, "no worker that transcribes: `make whisper` makes one");
  const address = freshNumber();
  const file = { name: "Audio Message.caf", mimeType: "audio/x-caf", buffer: memo() };
  await theirs.send(address, file, true);
  const conversation = await conversationOf(api, address);
  await open(page, conversation);
  const bubble = bubbles(page).last();
  await expect(bubble.locator("audio")).toBeVisible();
  await expect(bubble.getByText(/tennis lesson for next tuesday/i)).toBeVisible({ timeout: 90_000 });
  await expect(bubble.getByText("Transcrito del inglés")).toBeVisible();
  await page.goto("/inbox");
  await page.getByRole("textbox", { name: "Buscar en las conversaciones" }).fill("tennis has:voz");
  const results = page.getByRole("region", { name: "Resultados" });
  await results
    .getByRole("link", { name: /tennis/i })
    .first()
    .click();
  await expect(page).toHaveURL(/message=/);
  await expect(bubbles(page).last()).toContainText(/tennis lesson/i);
  await open(page, conversation);
  // whatever the language in which the thread has its name
  await look(page, "voice", async (page) => {
    await expect(page.getByRole("article").last()).toContainText(/tennis lesson/i);
  });
});
