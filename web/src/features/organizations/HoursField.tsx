import { Plus, Trash2 } from "lucide-react";
import { useId } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";

/** On these days, from here to before there; 1 is Monday. */
export interface Span {
  days: number[];
  from: string;
  until: string;
}

interface HoursFieldProps {
  label: string;
  /** No hours at all are a value; null is none. */
  spans: Span[] | null;
  error: string | undefined;
  /** Only to be read. */
  isFixed: boolean;
  onChange: (spans: Span[]) => void;
}

const DAYS = [1, 2, 3, 4, 5, 6, 7];
const FRESH: Span = { days: [1, 2, 3, 4, 5], from: "09:00", until: "18:00" };
/** A Monday, for the names of the days. */
const MONDAY = Date.UTC(2024, 0, 1);
const DAY_MS = 86_400_000;

/** The hours of a week, span by span. */
export function HoursField({ label, spans, error, isFixed, onChange }: HoursFieldProps) {
  const { t } = useTranslation();
  const id = useId();
  const all = spans ?? [];
  return (
    <fieldset
      disabled={isFixed}
      {...(error ? { "aria-describedby": id } : {})}
      className="flex min-w-0 flex-col gap-3"
    >
      <legend className="text-sm font-medium text-muted">{label}</legend>
      {all.length === 0 ? (
        <p className="mt-1 text-sm text-muted">
          {t(spans ? "organizations.never" : "organizations.nothing")}
        </p>
      ) : (
        <ul className="mt-1 flex flex-col gap-3">
          {all.map((span, place) => (
            <li key={place} className="rounded-md border border-line p-3">
              <SpanFields
                span={span}
                onChange={(changed) => onChange(all.map((one, at) => (at === place ? changed : one)))}
                onRemove={() => onChange(all.filter((_, at) => at !== place))}
              />
            </li>
          ))}
        </ul>
      )}
      {error ? (
        <p id={id} role="alert" className="text-xs text-bad">
          {error}
        </p>
      ) : null}
      {isFixed ? null : (
        <div className="flex flex-wrap gap-2">
          <Button size="sm" onClick={() => onChange([...all, FRESH])}>
            <Plus aria-hidden />
            {t("organizations.addSpan")}
          </Button>
          {spans === null ? (
            <Button size="sm" onClick={() => onChange([])}>
              {t("organizations.beNever")}
            </Button>
          ) : null}
        </div>
      )}
    </fieldset>
  );
}

interface SpanFieldsProps {
  span: Span;
  onChange: (span: Span) => void;
  onRemove: () => void;
}

function SpanFields({ span, onChange, onRemove }: SpanFieldsProps) {
  const { t, i18n } = useTranslation();
  const weekday = new Intl.DateTimeFormat(i18n.language, { weekday: "long", timeZone: "UTC" });
  const turn = (day: number, isOn: boolean) =>
    onChange({ ...span, days: DAYS.filter((one) => (one === day ? isOn : span.days.includes(one))) });
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-end gap-3">
        <Field label={t("organizations.from")} className="w-28">
          <Input
            type="time"
            value={span.from}
            onChange={({ target }) => onChange({ ...span, from: target.value })}
          />
        </Field>
        <Field label={t("organizations.until")} className="w-28">
          <Input
            type="time"
            // the field knows no end of the day: it is shown as its last minute until it is changed
            value={span.until === "24:00" ? "23:59" : span.until}
            onChange={({ target }) => onChange({ ...span, until: target.value })}
          />
        </Field>
        <Button
          look="ghost"
          aria-label={t("organizations.removeSpan")}
          title={t("organizations.removeSpan")}
          onClick={onRemove}
        >
          <Trash2 aria-hidden />
        </Button>
      </div>
      <div
        role="group"
        aria-label={t("organizations.days")}
        className="flex flex-wrap gap-x-4 gap-y-1.5 text-sm"
      >
        {DAYS.map((day) => (
          <label key={day} className="flex items-center gap-1.5">
            <input
              type="checkbox"
              checked={span.days.includes(day)}
              onChange={({ target }) => turn(day, target.checked)}
            />
            {weekday.format(new Date(MONDAY + (day - 1) * DAY_MS))}
          </label>
        ))}
      </div>
    </div>
  );
}
