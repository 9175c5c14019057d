import { useTranslation } from "react-i18next";

import { Field } from "@/components/ui/field";
import { Select, TypedInput } from "@/components/ui/input";

import type { Form } from "./form";

const PER = ["minute", "hour", "day"] as const;

interface PaceFieldProps {
  value: Form["pace"];
  onChange: (value: Form["pace"]) => void;
  error: string | undefined;
}

/** So many messages a minute, an hour or a day; nothing is as fast as the line lets through. */
export function PaceField({ value, onChange, error }: PaceFieldProps) {
  const { t } = useTranslation();
  return (
    <div className="grid grid-cols-[minmax(0,1fr)_9rem] items-start gap-3">
      <Field label={t("campaigns.rate")} hint={t("campaigns.rateHint")} error={error}>
        <TypedInput
          type="number"
          min={1}
          inputMode="numeric"
          value={value.count}
          onValue={(count) => onChange({ ...value, count })}
        />
      </Field>
      <Field label={t("campaigns.per")}>
        <Select
          value={value.per}
          onChange={({ target }) => onChange({ ...value, per: target.value as Form["pace"]["per"] })}
        >
          {PER.map((per) => (
            <option key={per} value={per}>
              {t(`campaigns.perUnits.${per}`)}
            </option>
          ))}
        </Select>
      </Field>
    </div>
  );
}
