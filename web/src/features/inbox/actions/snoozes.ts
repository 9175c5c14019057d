/** The times that people put things off to, in the reader's own time. */
export interface SnoozeTime {
  id: "later" | "evening" | "tomorrow" | "monday" | "week";
  at: Date;
}

const MORNING = 9;
const EVENING = 18;

function day(now: Date, days: number, hour: number): Date {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, hour);
}

export function snoozes(now: Date): SnoozeTime[] {
  const later = new Date(now.getTime() + 3 * 3_600_000);
  later.setMinutes(0, 0, 0);
  const toMonday = (8 - now.getDay()) % 7 || 7;
  const evening: SnoozeTime[] =
    now.getHours() < EVENING - 1 ? [{ id: "evening", at: day(now, 0, EVENING) }] : [];
  return [
    { id: "later", at: later },
    ...evening,
    { id: "tomorrow", at: day(now, 1, MORNING) },
    { id: "monday", at: day(now, toMonday, MORNING) },
    { id: "week", at: day(now, 7, MORNING) },
  ];
}
