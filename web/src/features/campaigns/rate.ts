/** How much went out over time, in spans of one width. */
const WIDTHS_S = [10, 60, 300, 900, 3_600, 21_600, 86_400] as const;
/** More bars than these are no help. */
const MOST = 60;

export interface Span {
  at: number;
  count: number;
}

/** The narrowest width that shows all of it. */
export function widthOf(fromMs: number, untilMs: number): number {
  const seconds = Math.max(0, untilMs - fromMs) / 1000;
  return WIDTHS_S.find((width) => seconds / width < MOST) ?? 86_400;
}

/** One span after the other: the server leaves out those in which nothing went out. */
export function filled(
  items: { at: string; count: number }[],
  widthS: number,
  fromMs: number,
  untilMs: number,
): Span[] {
  const width = widthS * 1000;
  const counts = new Map(items.map(({ at, count }) => [Math.floor(Date.parse(at) / width), count]));
  if (counts.size === 0) return [];
  const first = Math.min(Math.floor(fromMs / width), ...counts.keys());
  const last = Math.max(Math.floor(untilMs / width), ...counts.keys());
  return Array.from({ length: last - first + 1 }, (_, n) => ({
    at: (first + n) * width,
    count: counts.get(first + n) ?? 0,
  }));
}
