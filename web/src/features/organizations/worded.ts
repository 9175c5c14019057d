/** Values of settings in words, for where they stand in no control of their own. */
import { useTranslation } from "react-i18next";

import type { Setting } from "./wire";

/** The choices of all settings that have some. */
export type Choice = "es" | "en" | "starttls" | "tls";

/** Of a long text as much as tells it from another. */
const LONGEST = 80;

/** A country by its name, or by its letters where they are none of a country. */
export const regionName = (code: string, language: string): string =>
  (/^[A-Z]{2}$/.test(code) && new Intl.DisplayNames(language, { type: "region" }).of(code)) || code;

/** Answers null for what has no words, as hours, and for what there is nothing to say of. */
export function useWorded(): (setting: Setting, value: unknown) => string | null {
  const { t, i18n } = useTranslation();
  return ({ kind }, value) => {
    if (typeof value === "boolean") return t(value ? "organizations.yes" : "organizations.no");
    if (typeof value === "number") return String(value);
    if (typeof value !== "string" || value === "") return null;
    if (kind.type === "choice") return t(`organizations.choices.${value as Choice}`);
    if (kind.type === "region") return regionName(value, i18n.language);
    return value.length > LONGEST ? `${value.slice(0, LONGEST)}…` : value;
  };
}
