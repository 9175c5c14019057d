/**
 * How many SMS a text is: 160 letters in the alphabet of GSM, 153 of each where there are several; 70 and 67 as soon as one letter is not in it.
 * Names that letter, since it is what costs.
 */
const BASIC =
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/** Take the place of two. */
const EXTENDED = "\f^{}\\[~]|€";

const COST = new Map([
  ...[...BASIC].map((c) => [c, 1] as const),
  ...[...EXTENDED].map((c) => [c, 2] as const),
]);

export interface Segments {
  count: number;
  /** What still fits into the last one. */
  left: number;
  /** The first letter that is not in the alphabet of GSM. */
  costly: string | null;
}

export function segmentsOf(text: string): Segments {
  const letters = [...text];
  const costly = letters.find((letter) => !COST.has(letter)) ?? null;
  const costs = letters.map((letter) => (costly ? letter.length : (COST.get(letter) ?? 1)));
  const [alone, each] = costly ? [70, 67] : [160, 153];
  const total = costs.reduce((sum, cost) => sum + cost, 0);
  if (total <= alone) return { count: total === 0 ? 0 : 1, left: alone - total, costly };
  let [count, used] = [1, 0];
  // a letter is never cut in two
  for (const cost of costs) {
    if (used + cost > each) [count, used] = [count + 1, 0];
    used += cost;
  }
  return { count, left: each - used, costly };
}
