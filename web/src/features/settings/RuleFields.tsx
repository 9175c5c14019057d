import { Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input, Select } from "@/components/ui/input";

import type { Rule } from "./QuietHoursPage";
import { useRegions } from "./regions";

const DAYS = [1, 2, 3, 4, 5, 6, 7];
/** A Monday, for the names of the days. */
const MONDAY = Date.UTC(2024, 0, 1);
const DAY_MS = 86_400_000;

interface RuleFieldsProps {
  rule: Rule;
  /** Only to be read. */
  isFixed: boolean;
  /** Regions that other rules have; "" is everywhere. */
  taken: string[];
  onChange: (rule: Rule) => void;
  onRemove: () => void;
}

/** One rule: where, on which days, from when until when. */
export function RuleFields({ rule, isFixed, taken, onChange, onRemove }: RuleFieldsProps) {
  const { t, i18n } = useTranslation();
  const { countries, states } = useRegions();
  const weekday = new Intl.DateTimeFormat(i18n.language, { weekday: "long", timeZone: "UTC" });
  const turn = (day: number, isOn: boolean) =>
    onChange({ ...rule, days: DAYS.filter((one) => (one === day ? isOn : rule.days.includes(one))) });
  const nameOf = (region: string | null | undefined) =>
    [...states, ...countries].find(({ code }) => code === region)?.name ?? t("settings.everywhere");
  const option = ({ code, name }: { code: string; name: string }) => (
    <option key={code} value={code} disabled={taken.includes(code)}>
      {name}
    </option>
  );
  return (
    <fieldset disabled={isFixed} aria-label={nameOf(rule.region)} className="flex flex-col gap-3">
      <div className="flex flex-wrap items-end gap-3">
        <Field label={t("settings.where")} className="min-w-48 flex-1">
          <Select
            value={rule.region ?? ""}
            onChange={({ target }) => onChange({ ...rule, region: target.value || null })}
          >
            {option({ code: "", name: t("settings.everywhere") })}
            <optgroup label={t("settings.states")}>{states.map(option)}</optgroup>
            <optgroup label={t("settings.countries")}>{countries.map(option)}</optgroup>
          </Select>
        </Field>
        <Field label={t("settings.from")} className="w-28">
          <Input
            type="time"
            required
            min="08:00"
            max="21:00"
            value={rule.from}
            onChange={({ target }) => onChange({ ...rule, from: target.value })}
          />
        </Field>
        <Field label={t("settings.until")} className="w-28">
          <Input
            type="time"
            required
            min="08:00"
            max="21:00"
            value={rule.until}
            onChange={({ target }) => onChange({ ...rule, until: target.value })}
          />
        </Field>
        {isFixed ? null : (
          <Button
            look="ghost"
            aria-label={t("settings.remove")}
            title={t("settings.remove")}
            onClick={onRemove}
          >
            <Trash2 aria-hidden />
          </Button>
        )}
      </div>
      <div role="group" aria-label={t("settings.days")} className="flex flex-wrap gap-x-4 gap-y-1.5 text-sm">
        {DAYS.map((day) => (
          <label key={day} className="flex items-center gap-1.5">
            <input
              type="checkbox"
              checked={rule.days.includes(day)}
              onChange={({ target }) => turn(day, target.checked)}
            />
            {weekday.format(new Date(MONDAY + (day - 1) * DAY_MS))}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
