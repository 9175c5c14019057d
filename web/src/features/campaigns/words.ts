/** What was chosen, in words, for a last look. */
import type { TFunction } from "i18next";

import type { Formats } from "@/lib/format";

import type { Form } from "./form";
import { momentOf, zoneHere } from "./times";

export function windowText(
  { isOn, days, from, until, zone }: Form["window"],
  t: TFunction,
  formats: Formats,
) {
  if (!isOn) return t("campaigns.windowNone");
  const names = days.map((day) => t(`campaigns.dayNames.${day as 1}`));
  return t(`campaigns.windowSays.${zone}`, { days: formats.list(names), from, until });
}

export function paceText({ count, per }: Form["pace"], t: TFunction, formats: Formats) {
  if (count.trim() === "") return t("campaigns.paceNone");
  if (!Number.isFinite(Number(count))) return "";
  return t(`campaigns.paceSays.${per}`, { count: Number(count), messages: formats.decimal(Number(count)) });
}

/** A moment of a field, with the zone of the clock that it is on. */
export function momentText(local: string, t: TFunction, formats: Formats) {
  const at = momentOf(local);
  return at ? t("campaigns.moment", { when: formats.dateTime(at), zone: zoneHere() }) : "";
}
