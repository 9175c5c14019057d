import { useMemo } from "react";
import { useTranslation } from "react-i18next";

import { Field } from "@/components/ui/field";
import { Input, Select, Textarea } from "@/components/ui/input";

import { useRegions } from "@/features/settings/regions";

import { cleared, type Draft } from "./draft";
import { HoursField, type Span } from "./HoursField";
import type { Held, Setting } from "./wire";

interface SettingFieldProps {
  setting: Setting;
  label: string;
  /** What holds, or will hold once it is saved. */
  shown: Held;
  /** It was typed here and is not saved. */
  isTyped: boolean;
  error: string | undefined;
  /** Only to be read. */
  isFixed: boolean;
  onChange: (draft: Draft | null) => void;
}

/** The control that fits a setting's kind. */
export function SettingField(props: SettingFieldProps) {
  const { setting, label, shown, error, isFixed, onChange } = props;
  const set = (value: unknown) => onChange({ kind: "set", value });
  switch (setting.kind.type) {
    case "hours":
      return (
        <HoursField
          label={label}
          spans={shown.value as Span[] | null}
          error={error}
          isFixed={isFixed}
          onChange={set}
        />
      );
    case "secret":
      return <SecretField {...props} />;
    case "choice":
      return <ChoiceField {...props} choices={setting.kind.choices} />;
    case "boolean":
      return <BooleanField {...props} />;
    case "time_zone":
      return <ZoneField {...props} />;
    case "region":
      return <RegionField {...props} />;
    case "long_text":
    case "text":
    case "number":
    case "color":
    case "url":
    case "gateway_url":
    case "host":
    case "email":
      return <TextField {...props} />;
  }
}

const MODES = { number: "numeric", url: "url", gateway_url: "url", email: "email" } as const;

function TextField({ setting, label, shown, error, isFixed, onChange }: SettingFieldProps) {
  const { t } = useTranslation();
  const { type } = setting.kind;
  const text = shown.value === null ? "" : String(shown.value);
  const read = (typed: string) => {
    if (typed === "") return cleared(setting);
    return type === "number" && /^\d+$/.test(typed) ? Number(typed) : typed;
  };
  const common = {
    value: text,
    // not disabled: whoever only looks can still get there by keys
    readOnly: isFixed,
    placeholder: shown.value === null ? t("organizations.nothing") : undefined,
    autoComplete: "off",
    onChange: ({ target }: { target: { value: string } }) =>
      onChange({ kind: "set", value: read(target.value) }),
  };
  return (
    <Field label={label} error={error}>
      {type === "long_text" ? (
        <Textarea {...common} />
      ) : (
        <Input {...common} inputMode={type in MODES ? MODES[type as keyof typeof MODES] : "text"} />
      )}
    </Field>
  );
}

/** What is kept is never shown: something can be put in its place. */
function SecretField({ label, shown, isTyped, error, isFixed, onChange }: SettingFieldProps) {
  const { t } = useTranslation();
  return (
    <Field label={label} error={error}>
      <Input
        type="password"
        autoComplete="new-password"
        disabled={isFixed}
        value={isTyped && typeof shown.value === "string" ? shown.value : ""}
        placeholder={t(shown.is_some ? "organizations.replace" : "organizations.nothing")}
        onChange={({ target }) => onChange(target.value === "" ? null : { kind: "set", value: target.value })}
      />
    </Field>
  );
}

type Choice = "es" | "en" | "starttls" | "tls";

function ChoiceField({
  label,
  shown,
  error,
  isFixed,
  onChange,
  choices,
}: SettingFieldProps & { choices: readonly string[] }) {
  const { t } = useTranslation();
  return (
    <Field label={label} error={error}>
      <Select
        disabled={isFixed}
        value={String(shown.value)}
        onChange={({ target }) => onChange({ kind: "set", value: target.value })}
      >
        {choices.map((choice) => (
          <option key={choice} value={choice}>
            {t(`organizations.choices.${choice as Choice}`)}
          </option>
        ))}
      </Select>
    </Field>
  );
}

function BooleanField({ label, shown, error, isFixed, onChange }: SettingFieldProps) {
  const { t } = useTranslation();
  return (
    <Field label={label} error={error}>
      <Select
        disabled={isFixed}
        value={String(shown.value)}
        onChange={({ target }) => onChange({ kind: "set", value: target.value === "true" })}
      >
        <option value="true">{t("organizations.yes")}</option>
        <option value="false">{t("organizations.no")}</option>
      </Select>
    </Field>
  );
}

function ZoneField({ label, shown, error, isFixed, onChange }: SettingFieldProps) {
  const now = String(shown.value);
  // the server knows some that this browser does not list
  const zones = useMemo(() => [...new Set([now, ...Intl.supportedValuesOf("timeZone")])].sort(), [now]);
  return (
    <Field label={label} error={error}>
      <Select
        disabled={isFixed}
        value={now}
        onChange={({ target }) => onChange({ kind: "set", value: target.value })}
      >
        {zones.map((zone) => (
          <option key={zone}>{zone}</option>
        ))}
      </Select>
    </Field>
  );
}

function RegionField({ label, shown, error, isFixed, onChange }: SettingFieldProps) {
  const { countries } = useRegions();
  return (
    <Field label={label} error={error}>
      <Select
        disabled={isFixed}
        value={String(shown.value)}
        onChange={({ target }) => onChange({ kind: "set", value: target.value })}
      >
        {countries.map(({ code, name }) => (
          <option key={code} value={code}>
            {name}
          </option>
        ))}
      </Select>
    </Field>
  );
}
