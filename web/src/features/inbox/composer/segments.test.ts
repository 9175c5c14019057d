import { describe, expect, it } from "vitest";

import { segmentsOf } from "./segments";

describe("segments of an SMS", () => {
  it("hold 160 letters alone and 153 each together", () => {
    expect(segmentsOf("")).toEqual({ count: 0, left: 160, costly: null });
    expect(segmentsOf("a".repeat(160))).toEqual({ count: 1, left: 0, costly: null });
    expect(segmentsOf("a".repeat(161))).toEqual({ count: 2, left: 145, costly: null });
    expect(segmentsOf("a".repeat(306))).toEqual({ count: 2, left: 0, costly: null });
    expect(segmentsOf("a".repeat(307)).count).toBe(3);
  });

  it("know the Spanish letters that GSM has, and name the first one that it has not", () => {
    expect(segmentsOf("¿Mañana, señor Ñandú?").costly).toBe("ú");
    expect(segmentsOf("¿Qué tal, señor Muñoz?").costly).toBeNull();
    expect(segmentsOf("á" + "a".repeat(69))).toEqual({ count: 1, left: 0, costly: "á" });
    expect(segmentsOf("á" + "a".repeat(70))).toEqual({ count: 2, left: 63, costly: "á" });
  });

  it("count what is escaped twice, and never cut it in two", () => {
    expect(segmentsOf("€".repeat(80)).count).toBe(1);
    expect(segmentsOf("€".repeat(81)).count).toBe(2);
    // 152 and then a pair: it goes into the next one whole
    expect(segmentsOf("a".repeat(152) + "€" + "a".repeat(10))).toEqual({ count: 2, left: 141, costly: null });
    expect(segmentsOf("😀".repeat(35)).count).toBe(1);
    expect(segmentsOf("😀".repeat(36))).toEqual({ count: 2, left: 61, costly: "😀" });
  });
});
