import { Link } from "@tanstack/react-router";
import { type ReactNode, useId } from "react";
import { useTranslation } from "react-i18next";

import { Field } from "@/components/ui/field";
import { Select } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { Filters } from "@/features/contacts/Filters";
import { useLabels } from "@/features/contacts/labels";
import { api } from "@/lib/api/client";
import { useFormats } from "@/lib/format";

import { AUDIENCES, type Chosen } from "./form";

interface AudienceFieldProps {
  value: Chosen;
  onChange: (value: Chosen) => void;
  error: string | undefined;
}

/** Everybody, an import, labels, or any filter that the screen of contacts has. */
export function AudienceField({ value, onChange, error }: AudienceFieldProps) {
  const { t } = useTranslation();
  const id = useId();
  const kinds = value.given ? [...AUDIENCES, "given" as const] : AUDIENCES;
  return (
    <Panel>
      <fieldset
        role="radiogroup"
        aria-describedby={error ? `${id}-error` : `${id}-hint`}
        aria-invalid={error ? true : undefined}
      >
        <legend className="mb-2 text-sm font-medium text-muted">{t("campaigns.audience")}</legend>
        <div className="flex flex-col gap-3">
          {kinds.map((kind) => (
            <div key={kind}>
              <label className="flex items-center gap-2 text-sm">
                <input
                  type="radio"
                  name={id}
                  checked={value.kind === kind}
                  onChange={() => onChange({ ...value, kind })}
                />
                {t(`campaigns.audiences.${kind}`)}
              </label>
              {value.kind === kind ? <Detail value={value} onChange={onChange} /> : null}
            </div>
          ))}
        </div>
      </fieldset>
      <p id={`${id}-hint`} className="mt-3 text-xs text-faint">
        {t("campaigns.audienceHint")}
      </p>
      {error ? (
        <p id={`${id}-error`} role="alert" className="mt-1 text-xs text-bad">
          {error}
        </p>
      ) : null}
    </Panel>
  );
}

function Detail({ value, onChange }: Pick<AudienceFieldProps, "value" | "onChange">) {
  const inset = (children: ReactNode) => <div className="mt-2 sm:ml-6">{children}</div>;
  switch (value.kind) {
    case "import":
      return inset(<ImportField value={value} onChange={onChange} />);
    case "labels":
      return inset(<LabelBoxes value={value} onChange={onChange} />);
    case "filter":
      return inset(
        <div className="rounded-md border border-line *:border-b-0 *:md:px-4">
          <Filters
            search={value.search}
            onChange={(changed) => onChange({ ...value, search: { ...value.search, ...changed } })}
          />
        </div>,
      );
    case "everybody":
    case "given":
      return null;
  }
}

function ImportField({ value, onChange }: Pick<AudienceFieldProps, "value" | "onChange">) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { data } = api.useQuery("get", "/api/v1/imports", { params: { query: { limit: 200 } } });
  const imports = data?.items.filter(({ id, state }) => state === "completed" || id === value.importId) ?? [];
  return (
    <Field label={t("campaigns.import")}>
      <Select
        value={value.importId}
        onChange={({ target }) => onChange({ ...value, importId: target.value })}
      >
        <option value="">{t("campaigns.chooseImport")}</option>
        {imports.map(({ id, file_name, created_count, updated_count, created_at }) => (
          <option key={id} value={id}>
            {t("campaigns.ofImport", {
              name: file_name,
              count: created_count + updated_count,
              contacts: formats.number(created_count + updated_count),
              when: formats.date(created_at),
            })}
          </option>
        ))}
      </Select>
    </Field>
  );
}

function LabelBoxes({ value, onChange }: Pick<AudienceFieldProps, "value" | "onChange">) {
  const { t } = useTranslation();
  const { labels, isPending } = useLabels();
  const turn = (id: string, isOn: boolean) =>
    onChange({
      ...value,
      labelIds: isOn ? [...value.labelIds, id] : value.labelIds.filter((one) => one !== id),
    });
  if (!isPending && labels.length === 0) {
    return (
      <p className="text-sm text-muted">
        {t("campaigns.noLabels")}{" "}
        <Link to="/contacts" className="text-accent-ink underline">
          {t("nav.contacts")}
        </Link>
      </p>
    );
  }
  return (
    <div
      role="group"
      aria-label={t("campaigns.labels")}
      className="grid max-h-56 gap-x-4 gap-y-1.5 overflow-y-auto rounded-md border border-line p-3 sm:grid-cols-2"
    >
      {labels.map(({ id, name }) => (
        <label key={id} className="flex min-w-0 items-center gap-2 text-sm">
          <input
            type="checkbox"
            checked={value.labelIds.includes(id)}
            onChange={({ target }) => turn(id, target.checked)}
          />
          <span className="truncate">{name}</span>
        </label>
      ))}
    </div>
  );
}
