import { useTranslation } from "react-i18next";

import { Field } from "@/components/ui/field";
import { Select, TypedInput } from "@/components/ui/input";
import { useMe } from "@/lib/session";

import type { Form } from "./form";

const DAYS = [1, 2, 3, 4, 5, 6, 7] as const;
/** The end of the day, which a field for times has as its beginning. */
const MIDNIGHT = "24:00";

interface WindowFieldProps {
  value: Form["window"];
  onChange: (value: Form["window"]) => void;
  error: string | undefined;
}

/** Days of the week and hours, by the clock of each contact or of the account. */
export function WindowField({ value, onChange, error }: WindowFieldProps) {
  const { t } = useTranslation();
  const { tenant } = useMe();
  const turn = (day: number, isOn: boolean) =>
    onChange({ ...value, days: DAYS.filter((one) => (one === day ? isOn : value.days.includes(one))) });
  return (
    <div className="flex flex-col gap-3">
      <label className="flex items-center gap-2 text-sm">
        <input
          type="checkbox"
          checked={value.isOn}
          onChange={({ target }) => onChange({ ...value, isOn: target.checked })}
        />
        {t("campaigns.window")}
      </label>
      {value.isOn ? (
        <>
          <div
            role="group"
            aria-label={t("campaigns.days")}
            className="flex flex-wrap gap-x-4 gap-y-1.5 text-sm"
          >
            {DAYS.map((day) => (
              <label key={day} className="flex items-center gap-1.5">
                <input
                  type="checkbox"
                  checked={value.days.includes(day)}
                  onChange={({ target }) => turn(day, target.checked)}
                />
                {t(`campaigns.dayNames.${day}`)}
              </label>
            ))}
          </div>
          <div className="grid grid-cols-2 gap-3">
            <Field label={t("campaigns.from")}>
              <TypedInput type="time" value={value.from} onValue={(from) => onChange({ ...value, from })} />
            </Field>
            <Field label={t("campaigns.until")} error={error}>
              <TypedInput
                type="time"
                value={value.until === MIDNIGHT ? "00:00" : value.until}
                onValue={(until) => onChange({ ...value, until: until === "00:00" ? MIDNIGHT : until })}
              />
            </Field>
          </div>
          <Field label={t("campaigns.clock")}>
            <Select
              value={value.zone}
              onChange={({ target }) => onChange({ ...value, zone: target.value as Form["window"]["zone"] })}
            >
              <option value="contact">{t("campaigns.clocks.contact")}</option>
              <option value="tenant">{t("campaigns.clocks.tenant", { zone: tenant.time_zone })}</option>
            </Select>
          </Field>
        </>
      ) : error ? (
        <p role="alert" className="text-xs text-bad">
          {error}
        </p>
      ) : null}
    </div>
  );
}
