import { useTranslation } from "react-i18next";

import { Field } from "@/components/ui/field";
import { Input, Select } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import type { Schemas } from "@/lib/api/client";

import { type Delimiter, DELIMITER_NAMES, DELIMITERS, ENCODINGS, type Options, type Preview } from "./held";

const MODES: Schemas["ImportMode"][] = ["create", "update", "skip"];
const isDelimiter = (text: string): text is Delimiter => text in DELIMITERS;

interface ReadingProps {
  preview: Preview;
  options: Options;
  /** The tenant's: of numbers without a country code. */
  region: string;
  onChange: (options: Options) => void;
  /** Other names of columns, or other columns. */
  onReread: (options: Options) => void;
}

/** How the file is read: what the server took it for, and what it shall take it for. */
export function Reading({ preview, options, region, onChange, onReread }: ReadingProps) {
  const { t } = useTranslation();
  // what is asked for is shown before the server has answered
  const encoding = options.encoding ?? preview.encoding;
  const encodings = ENCODINGS.some((name) => name === encoding) ? ENCODINGS : [...ENCODINGS, encoding];
  const delimiters = Object.keys(DELIMITERS) as Delimiter[];
  const delimiter = delimiters.find((one) => DELIMITERS[one] === options.delimiter) ?? preview.delimiter;
  // what was said of the columns of before is of no use
  const anew = (change: Options) => onReread({ ...options, mapping: {}, ...change });
  return (
    <Panel
      title={t("imports.reading")}
      aside={<p className="text-xs text-faint">{t("imports.readingHint")}</p>}
    >
      <div className="grid gap-4 sm:grid-cols-2 lg:grid-cols-4">
        <Field label={t("imports.encoding")}>
          <Select
            value={encoding}
            onChange={({ target }) => anew({ encoding: target.value as Schemas["Encoding"] })}
          >
            {encodings.map((encoding) => (
              <option key={encoding} value={encoding}>
                {t(`imports.encodings.${encoding as (typeof ENCODINGS)[number]}`)}
              </option>
            ))}
          </Select>
        </Field>
        <Field label={t("imports.delimiter")}>
          <Select
            value={delimiter}
            onChange={({ target }) =>
              isDelimiter(target.value) && anew({ delimiter: DELIMITERS[target.value] })
            }
          >
            {delimiters.map((one) => (
              <option key={one} value={one}>
                {t(`imports.delimiters.${DELIMITER_NAMES[one]}`)}
              </option>
            ))}
          </Select>
        </Field>
        <Field label={t("imports.mode")} hint={t("imports.modeHint")}>
          <Select
            value={options.mode ?? "create"}
            onChange={({ target }) => onChange({ ...options, mode: target.value as Schemas["ImportMode"] })}
          >
            {MODES.map((mode) => (
              <option key={mode} value={mode}>
                {t(`imports.modes.${mode}`)}
              </option>
            ))}
          </Select>
        </Field>
        <Field label={t("imports.region")} hint={t("imports.regionHint")}>
          <Input
            value={options.region ?? region}
            maxLength={2}
            className="uppercase"
            onChange={({ target }) => onChange({ ...options, region: target.value.trim().toUpperCase() })}
          />
        </Field>
      </div>
      <label className="mt-4 flex items-center gap-2 text-sm">
        <input
          type="checkbox"
          checked={options.has_header ?? preview.has_header}
          onChange={({ target }) => anew({ has_header: target.checked })}
        />
        {t("imports.hasHeader")}
      </label>
    </Panel>
  );
}
