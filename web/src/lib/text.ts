/** The text without accents and case, as it is compared in searches. */
export function plain(text: string): string {
  return text.toLocaleLowerCase().normalize("NFD").replace(/\p{M}/gu, "").replace(/\s+/g, " ").trim();
}

/** The names of a person in one, or the fallback. */
export function fullName(
  person: { first_name?: string | null; last_name?: string | null },
  fallback: string,
): string {
  return [person.first_name, person.last_name].filter(Boolean).join(" ") || fallback;
}
