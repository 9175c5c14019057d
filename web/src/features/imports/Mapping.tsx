import { useTranslation } from "react-i18next";

import { Badge } from "@/components/ui/badge";
import { Select } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { cn } from "@/lib/cn";
import { useFormats } from "@/lib/format";

import { FIELDS, useFieldName } from "./fields";
import type { Preview } from "./held";
import { useRowReason } from "./state";

interface MappingProps {
  preview: Preview;
  /** What was said here, column to field; of the others the server judges by their names. */
  asked: Record<string, string>;
  onChange: (asked: Record<string, string>) => void;
}

/** The first rows as the server reads them, what each column fills, and what would become of each row. */
export function Mapping({ preview, asked, onChange }: MappingProps) {
  const { t } = useTranslation();
  const { header, rows } = preview;
  return (
    <Panel
      title={t("imports.columns")}
      aside={<p className="text-xs text-faint">{t("imports.columnsHint")}</p>}
      isFlush
    >
      <div className="max-h-96 overflow-auto" tabIndex={0} role="region" aria-label={t("imports.columns")}>
        <table className="w-full border-separate border-spacing-0 text-sm">
          <thead className="sticky top-0 z-10 bg-surface">
            <tr className="align-top">
              <th
                scope="col"
                className="border-b border-line py-2 pr-2 pl-4 text-left text-xs font-medium text-faint"
              >
                {t("imports.line")}
              </th>
              {header.map((column, place) => (
                <Column
                  key={place}
                  column={column}
                  field={asked[column] ?? preview.mapping[column] ?? "ignore"}
                  isAsked={column in asked}
                  onChange={(field) => onChange({ ...asked, [column]: field })}
                />
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <Row key={row.line_number} row={row} columns={header.length} />
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

interface ColumnProps {
  column: string;
  field: string;
  isAsked: boolean;
  onChange: (field: string) => void;
}

function Column({ column, field, isAsked, onChange }: ColumnProps) {
  const { t } = useTranslation();
  const name = useFieldName();
  const own = `attribute:${column}`;
  const choices = [...FIELDS, ...(column ? [own] : []), "ignore"];
  return (
    <th scope="col" className="min-w-44 border-b border-line px-3 py-2 text-left">
      <span className="mb-1.5 block truncate font-medium">{column || t("imports.unnamed")}</span>
      <Select
        aria-label={t("imports.fills", { column })}
        className={cn("h-7 text-xs font-normal", field === "ignore" && "text-muted")}
        value={field}
        onChange={({ target }) => onChange(target.value)}
      >
        {(choices.includes(field) ? choices : [...choices, field]).map((choice) => (
          <option key={choice} value={choice}>
            {name(choice)}
          </option>
        ))}
      </Select>
      <span className="mt-1 block text-2xs font-normal text-faint">
        {t(isAsked ? "imports.byHand" : "imports.byItsName")}
      </span>
    </th>
  );
}

function Row({ row, columns }: { row: Preview["rows"][number]; columns: number }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const reason = useRowReason();
  const told = [...(row.code ? [row.code] : []), ...row.warnings].map(reason).join(" · ");
  return (
    <>
      <tr className={row.code ? "text-faint" : "text-muted"}>
        <th scope="row" className="border-b border-line/60 py-1.5 pr-2 pl-4 text-right font-normal figures">
          {formats.number(row.line_number)}
        </th>
        {Array.from({ length: columns }, (_, cell) => (
          <td key={cell} className="max-w-56 truncate border-b border-line/60 px-3 py-1.5">
            {row.cells[cell] ?? ""}
          </td>
        ))}
      </tr>
      {told ? (
        <tr>
          <td />
          <td colSpan={columns} className="border-b border-line/60 px-3 py-1 text-xs text-muted">
            <Badge tone={row.code ? "bad" : "warn"} className="mr-2">
              {t(row.code ? "imports.notTaken" : "imports.warning")}
            </Badge>
            {told}
          </td>
        </tr>
      ) : null}
    </>
  );
}
