/** The hours of a week as they are kept, and the end of a day as the browser's field for times writes it. */

/** On these days, from here to before there; 1 is Monday. */
export interface Span {
  days: number[];
  from: string;
  until: string;
}

export const FRESH: Span = { days: [1, 2, 3, 4, 5], from: "09:00", until: "18:00" };

const MIDNIGHT = "00:00";
const END_OF_DAY = "24:00";

/** Nothing ends before it begins, so the midnight that a span ends at is the day's last: the field has no other way to write that. */
export const keptUntil = (typed: string): string => (typed === MIDNIGHT ? END_OF_DAY : typed);

/** The same way back. */
export const shownUntil = (kept: string): string => (kept === END_OF_DAY ? MIDNIGHT : kept);
