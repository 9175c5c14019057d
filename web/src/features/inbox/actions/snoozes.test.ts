import { expect, it } from "vitest";

import { snoozes } from "./snoozes";

it("every time is still to come, and Monday is the next one", () => {
  for (let hour = 0; hour < 24; hour++) {
    for (let day = 22; day < 29; day++) {
      const now = new Date(2026, 10, day, hour, 30);
      for (const { at } of snoozes(now)) expect(at.getTime()).toBeGreaterThan(now.getTime());
      const monday = snoozes(now).find(({ id }) => id === "monday");
      expect(monday?.at.getDay()).toBe(1);
      expect((monday?.at.getTime() ?? 0) - now.getTime()).toBeLessThan(8 * 86_400_000);
    }
  }
});
