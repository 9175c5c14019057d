import { ChevronLeft, ChevronRight } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";

/** The month that many before or after, as 2026-11. */
export function monthsFrom(month: string, count: number): string {
  const [year = 0, number = 1] = month.split("-").map(Number);
  return new Date(Date.UTC(year, number - 1 + count, 1)).toISOString().slice(0, 7);
}

interface MonthOfProps {
  /** 2026-11 */
  month: string;
  onChange: (month: string) => void;
}

/** Which month is shown, and the ones beside it. */
export function MonthOf({ month, onChange }: MonthOfProps) {
  const { t, i18n } = useTranslation();
  const name = new Intl.DateTimeFormat(i18n.language, { month: "long", year: "numeric", timeZone: "UTC" });
  return (
    <div className="flex items-center gap-1">
      <Button
        look="ghost"
        size="iconSm"
        aria-label={t("usage.monthBefore")}
        onClick={() => onChange(monthsFrom(month, -1))}
      >
        <ChevronLeft aria-hidden />
      </Button>
      <span aria-live="polite" className="text-sm">
        {name.format(new Date(`${month}-01T00:00:00Z`))}
      </span>
      <Button
        look="ghost"
        size="iconSm"
        aria-label={t("usage.monthAfter")}
        onClick={() => onChange(monthsFrom(month, 1))}
      >
        <ChevronRight aria-hidden />
      </Button>
    </div>
  );
}
