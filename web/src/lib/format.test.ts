import { expect, test } from "vitest";

import { formats, phoneText } from "./format";

const [es, en] = [formats("es"), formats("en")];
// Intl puts spaces there that do not break
const spaced = (text: string) => text.replace(/[\u00a0\u202f]/g, " ");

test("numbers are written as the language writes them", () => {
  expect(es.number(1_234_567)).toBe("1.234.567");
  expect(en.number(1_234_567)).toBe("1,234,567");
  expect(spaced(es.percent(0.125))).toBe("12,5 %");
  expect(spaced(en.bytes(1_500_000))).toBe("1.5 MB");
  expect(spaced(en.bytes(0))).toBe("0 bytes");
  expect(spaced(en.bytes(1))).toBe("1 byte");
});

test("a time is told from now on", () => {
  const now = Date.parse("2026-01-05T12:00:00Z");
  expect(es.relative("2026-01-05T11:55:00Z", now)).toBe("hace 5 min");
  expect(en.relative("2026-01-05T11:55:00Z", now)).toBe("5 min. ago");
  expect(en.relative("2026-01-05T11:59:30Z", now)).toBe("now");
  expect(en.relative("2026-01-06T12:00:00Z", now)).toBe("tomorrow");
});

test("a length of time has its two largest parts", () => {
  expect(spaced(en.duration(12_000))).toBe("3 hr 20 min");
  expect(spaced(es.duration(900))).toBe("15 min");
  expect(spaced(es.duration(4.2))).toBe("5 s");
});

test("a phone is written in groups, and one of an unknown country as it is", () => {
  expect(phoneText("+13055550142")).toBe("+1 305 555 0142");
  expect(phoneText("+34612345678")).toBe("+34 612 345 678");
  expect(phoneText("+41443643533")).toBe("+41443643533");
  expect(phoneText("ana@example.com")).toBe("ana@example.com");
});
