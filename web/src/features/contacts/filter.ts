/** What the address says of which contacts are shown, as the server takes it. */
import type { Schemas } from "@/lib/api/client";
import type { ContactsSearch } from "@/routes/search";

/** What narrows the list; each can be taken away by itself. */
export const NARROWING = ["q", "label", "import", "phone", "suppression", "from", "to"] as const;

export function isNarrowed(search: ContactsSearch): boolean {
  return NARROWING.some((name) => search[name] !== undefined);
}

/** A day as somebody here means it: from its first moment, or until its last. */
function startOf(day: string, later = 0): string {
  const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
  return new Date(year, month - 1, date + later).toISOString();
}

type Filter = { [Name in keyof Schemas["ContactFilter"]]?: NonNullable<Schemas["ContactFilter"][Name]> };

/** As an act on all of them takes it. */
export function filterOf(search: ContactsSearch): Filter {
  return {
    ...(search.q ? { text: search.q } : {}),
    ...(search.label ? { label_ids: [search.label] } : {}),
    ...(search.import ? { import_id: search.import } : {}),
    ...(search.phone ? { has_phone: search.phone === "yes" } : {}),
    ...(search.suppression ? { suppression: search.suppression } : {}),
    ...(search.from ? { created_from: startOf(search.from) } : {}),
    // the day itself is among those meant
    ...(search.to ? { created_before: startOf(search.to, 1) } : {}),
  };
}

/** As the list takes it. */
export function queryOf(search: ContactsSearch) {
  const { label_ids, ...rest } = filterOf(search);
  return { ...rest, ...(label_ids?.[0] ? { label_id: label_ids[0] } : {}) };
}
