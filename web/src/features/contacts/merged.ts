/** What stays of two contacts that become one: as the server does it, to be seen before it is done. */
import type { Schemas } from "@/lib/api/client";

type Contact = Schemas["Contact"];

export const MERGED_FIELDS = [
  "first_name",
  "last_name",
  "email",
  "company",
  "address",
  "city",
  "state",
  "postal_code",
  "country",
  "time_zone",
] as const;

export interface Value {
  text: string;
  stays: boolean;
}

export interface Line {
  /** A field's name, `phones`, or the name of an attribute. */
  name: string;
  isAttribute?: true;
  kept: Value[];
  gone: Value[];
}

/** Phones that a contact has room for. */
const PHONES = 2;

export function merged(kept: Contact, gone: Contact): Line[] {
  const numbers = ({ phone, second_phone: second }: Contact) =>
    [phone, second].filter((text) => text != null);
  const stay = [...new Set([...numbers(kept), ...numbers(gone)])].slice(0, PHONES);
  const phones = (contact: Contact) => numbers(contact).map((text) => ({ text, stays: stay.includes(text) }));
  const lines: Line[] = [{ name: "phones", kept: phones(kept), gone: phones(gone) }];
  for (const name of MERGED_FIELDS) lines.push({ name, ...one(kept[name], gone[name]) });
  const attributes = new Set([...Object.keys(kept.attributes), ...Object.keys(gone.attributes)]);
  for (const name of attributes) {
    lines.push({ name, isAttribute: true, ...one(kept.attributes[name], gone.attributes[name]) });
  }
  return lines.filter((line) => line.kept.length + line.gone.length > 0);
}

/** The kept one says it; where it does not, the other does. */
function one(kept: string | null | undefined, gone: string | null | undefined): Pick<Line, "kept" | "gone"> {
  return {
    kept: kept == null ? [] : [{ text: kept, stays: true }],
    gone: gone == null ? [] : [{ text: gone, stays: kept == null || kept === gone }],
  };
}
