/** Numbers, dates and times as the reader's language writes them. */
import { useMemo } from "react";
import { useTranslation } from "react-i18next";

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

export function formats(language: string) {
  const number = new Intl.NumberFormat(language);
  const decimal = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  const percent = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
  const date = new Intl.DateTimeFormat(language, { dateStyle: "medium" });
  const time = new Intl.DateTimeFormat(language, { timeStyle: "short" });
  const seconds = new Intl.DateTimeFormat(language, { timeStyle: "medium" });
  const full = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  const day = new Intl.DateTimeFormat(language, { weekday: "long", day: "numeric", month: "long" });
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  const list = new Intl.ListFormat(language, { type: "conjunction" });
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;
  return {
    number: (value: number) => number.format(value),
    decimal: (value: number) => decimal.format(value),
    /** Of a share between 0 and 1. */
    percent: (share: number) => percent.format(share),
    date: (at: string | Date) => date.format(new Date(at)),
    time: (at: string | Date) => time.format(new Date(at)),
    seconds: (at: string | Date) => seconds.format(new Date(at)),
    dateTime: (at: string | Date) => full.format(new Date(at)),
    /** The heading of a day in a thread. */
    day: (at: string | Date) => day.format(new Date(at)),
    list: (words: string[]) => list.format(words),
    /** "hace 5 min", "in 2 hr"; less than a minute is "now". */
    relative: (at: string | Date, now: number = Date.now()) => {
      const seconds = (new Date(at).getTime() - now) / 1000;
      const step = STEPS.find(([, size]) => Math.abs(seconds) >= size);
      return step ? relative.format(Math.trunc(seconds / step[1]), step[0]) : relative.format(0, "second");
    },
    bytes: (count: number) => {
      const power = Math.min(Math.floor(Math.log10(Math.max(count, 1)) / 3), units.length - 1);
      const unit = units[power] ?? "byte";
      return new Intl.NumberFormat(language, {
        style: "unit",
        unit,
        // of the word "byte" there is no short form that knows its plural
        unitDisplay: power === 0 ? "long" : "short",
        maximumFractionDigits: power === 0 ? 0 : 1,
      }).format(count / 1000 ** power);
    },
    /** "3 h 20 min", from a number of seconds. */
    duration: (total: number) => {
      const part = (value: number, unit: string) =>
        new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short" }).format(value);
      const [hours, minutes] = [Math.floor(total / 3600), Math.floor((total % 3600) / 60)];
      if (hours > 0) return `${part(hours, "hour")} ${part(minutes, "minute")}`;
      return minutes > 0 ? part(minutes, "minute") : part(Math.ceil(total), "second");
    },
  };
}

export type Formats = ReturnType<typeof formats>;

export function useFormats(): Formats {
  const { i18n } = useTranslation();
  return useMemo(() => formats(i18n.language), [i18n.language]);
}

/** +13055550142 as (305) 555-0142 in its own country, and in groups elsewhere: only what needs no table of countries. */
export function phoneText(address: string): string {
  const north = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(address);
  if (north) return `+1 ${north[1]} ${north[2]} ${north[3]}`;
  const spain = /^\+34(\d{3})(\d{3})(\d{3})$/.exec(address);
  if (spain) return `+34 ${spain[1]} ${spain[2]} ${spain[3]}`;
  const mexico = /^\+52(\d{2})(\d{4})(\d{4})$/.exec(address);
  if (mexico) return `+52 ${mexico[1]} ${mexico[2]} ${mexico[3]}`;
  return address;
}
