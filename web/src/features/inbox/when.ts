/** How long ago in the fewest letters, as rows of a list have room for; the exact time stands beside it as a title. */
import { useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export function whenTexts(language: string, nowText: string) {
  const unit = (name: string) =>
    new Intl.NumberFormat(language, { style: "unit", unit: name, unitDisplay: "short" });
  const [minutes, hours, days] = [unit("minute"), unit("hour"), unit("day")];
  const date = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
  const old = new Intl.DateTimeFormat(language, { day: "numeric", month: "numeric", year: "2-digit" });
  return (at: string, now: number): string => {
    const then = new Date(at);
    const past = Math.max(0, now - then.getTime());
    if (past < MINUTE) return nowText;
    if (past < HOUR) return minutes.format(Math.floor(past / MINUTE));
    if (past < DAY) return hours.format(Math.floor(past / HOUR));
    if (past < 7 * DAY) return days.format(Math.floor(past / DAY));
    return new Date(now).getFullYear() === then.getFullYear() ? date.format(then) : old.format(then);
  };
}

export function useWhen(): (at: string, now: number) => string {
  const { t, i18n } = useTranslation();
  return useMemo(() => whenTexts(i18n.language, t("inbox.now")), [i18n.language, t]);
}

/** The time of now, told again each minute. */
export function useMinute(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), MINUTE / 2);
    return () => clearInterval(timer);
  }, []);
  return now;
}
