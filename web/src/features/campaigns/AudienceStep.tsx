import { useTranslation } from "react-i18next";

import { Field } from "@/components/ui/field";
import { Input, Select } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { errorText } from "@/lib/api/error";

import { AudienceField } from "./AudienceField";
import { Counted } from "./Counted";
import { useLines } from "./lines";
import type { StepProps } from "./Wizard";

/** Its name, its line and whom it goes to, counted while it is chosen. */
export function AudienceStep({ draft, isAsked }: StepProps) {
  const { t } = useTranslation();
  const { form, change, errorAt } = draft;
  return (
    <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_22rem]">
      <div className="flex flex-col gap-4">
        <Panel>
          <div className="grid gap-4 sm:grid-cols-2">
            <Field label={t("campaigns.name")} error={errorAt("name", isAsked)}>
              <Input
                maxLength={200}
                autoFocus={!draft.campaign}
                placeholder={t("campaigns.nameExample")}
                value={form.name}
                onChange={({ target }) => change({ name: target.value })}
              />
            </Field>
            <LineField draft={draft} isAsked={isAsked} />
            <Field
              label={t("campaigns.onUnknown")}
              hint={t(draft.campaign ? "campaigns.onUnknownFixed" : "campaigns.onUnknownHint")}
              className="sm:col-span-2"
            >
              <Select
                value={form.on_unknown}
                disabled={draft.campaign !== undefined}
                onChange={({ target }) => change({ on_unknown: target.value })}
              >
                <option value="hold">{t("campaigns.hold")}</option>
                <option value="resend_once">{t("campaigns.resendOnce")}</option>
              </Select>
            </Field>
          </div>
        </Panel>
        <AudienceField
          value={form.audience}
          onChange={(audience) => change({ audience })}
          error={errorAt("audience", isAsked)}
        />
      </div>
      <Counted chosen={form.audience} className="lg:sticky lg:top-6" />
    </div>
  );
}

function LineField({ draft, isAsked }: Pick<StepProps, "draft" | "isAsked">) {
  const { t } = useTranslation();
  const { lines, error } = useLines();
  const isNone = lines?.length === 0;
  const told = error
    ? errorText(error, t)
    : isNone
      ? t("campaigns.noLine")
      : lines && draft.errorAt("line_id", isAsked);
  return (
    <Field label={t("campaigns.line")} error={told}>
      <Select
        disabled={!lines || isNone}
        value={draft.form.line_id}
        onChange={({ target }) => draft.change({ line_id: target.value })}
      >
        {lines?.map(({ id, name, address }) => (
          <option key={id} value={id}>
            {name} ({address})
          </option>
        ))}
      </Select>
    </Field>
  );
}
