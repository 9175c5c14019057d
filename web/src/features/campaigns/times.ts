/** Times as a field of the browser has them: by the clock of this device, without a zone. */

const two = (value: number) => String(value).padStart(2, "0");

/** 2026-01-31T09:00, here. */
export function localOf(at: string | Date): string {
  const time = new Date(at);
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${day}T${two(time.getHours())}:${two(time.getMinutes())}`;
}

/** The moment that a field says; null for one that there is not, as in the hour that is left out in spring. */
export function momentOf(local: string): Date | null {
  const at = new Date(local);
  return !Number.isNaN(at.getTime()) && localOf(at) === local.slice(0, 16) ? at : null;
}

export const zoneHere = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;
