import { useId } from "react";
import { useTranslation } from "react-i18next";

import { Field } from "@/components/ui/field";
import { TypedInput } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";

import type { Form } from "./form";
import { PaceField } from "./PaceField";
import { zoneHere } from "./times";
import { WindowField } from "./WindowField";
import type { StepProps } from "./Wizard";

/** When it begins, in which hours it goes out, how fast, and when it is over. */
export function TimingStep({ draft, isAsked }: StepProps) {
  const { t } = useTranslation();
  const { form, change, errorAt } = draft;
  return (
    <div className="grid items-start gap-4 lg:grid-cols-2">
      <div className="flex flex-col gap-4">
        <StartField
          value={form.start}
          onChange={(start) => change({ start })}
          error={errorAt("start", isAsked)}
        />
        <Panel title={t("campaigns.pace")}>
          <div className="flex flex-col gap-4">
            <PaceField
              value={form.pace}
              onChange={(pace) => change({ pace })}
              error={errorAt("pace", isAsked)}
            />
            <Field
              label={t("campaigns.endsAt")}
              hint={t("campaigns.endsAtHint", { zone: zoneHere() })}
              error={errorAt("ends_at", isAsked)}
            >
              <TypedInput
                type="datetime-local"
                value={form.ends_at}
                onValue={(ends_at) => change({ ends_at })}
              />
            </Field>
          </div>
        </Panel>
      </div>
      <Panel title={t("campaigns.hours")}>
        <div className="flex flex-col gap-4">
          <QuietHours isOn={form.quiet_hours} onChange={(quiet_hours) => change({ quiet_hours })} />
          <WindowField
            value={form.window}
            onChange={(window) => change({ window })}
            error={errorAt("window", isAsked) ?? errorAt("quiet_hours", isAsked)}
          />
        </div>
      </Panel>
    </div>
  );
}

interface StartFieldProps {
  value: Form["start"];
  onChange: (value: Form["start"]) => void;
  error: string | undefined;
}

function StartField({ value, onChange, error }: StartFieldProps) {
  const { t } = useTranslation();
  const id = useId();
  const choice = (isLater: boolean, text: string) => (
    <label className="flex items-center gap-2 text-sm">
      <input
        type="radio"
        name={id}
        checked={value.isLater === isLater}
        onChange={() => onChange({ ...value, isLater })}
      />
      {text}
    </label>
  );
  return (
    <Panel title={t("campaigns.start")}>
      <div role="radiogroup" aria-label={t("campaigns.start")} className="flex flex-col gap-2">
        {choice(false, t("campaigns.startNow"))}
        {choice(true, t("campaigns.startLater"))}
      </div>
      {value.isLater ? (
        <Field
          label={t("campaigns.startAt")}
          hint={t("campaigns.clockHere", { zone: zoneHere() })}
          error={error}
          className="mt-3"
        >
          <TypedInput type="datetime-local" value={value.at} onValue={(at) => onChange({ ...value, at })} />
        </Field>
      ) : null}
    </Panel>
  );
}

/** Whether messages wait for the hours in which people may be written to. */
function QuietHours({ isOn, onChange }: { isOn: boolean; onChange: (isOn: boolean) => void }) {
  const { t } = useTranslation();
  const id = useId();
  return (
    <div className="flex items-start gap-2 text-sm">
      <input
        id={id}
        type="checkbox"
        checked={isOn}
        onChange={({ target }) => onChange(target.checked)}
        aria-describedby={`${id}-hint`}
        className="mt-0.5"
      />
      <div>
        <label htmlFor={id}>{t("campaigns.quietHours")}</label>
        <p id={`${id}-hint`} className="text-muted">
          {t("campaigns.quietHoursHint")}
        </p>
      </div>
    </div>
  );
}
