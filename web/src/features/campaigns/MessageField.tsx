import { useRef } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Textarea } from "@/components/ui/input";

/** What every contact may have, beside its own attributes. */
const VARIABLES = ["firstName", "lastName", "fullName", "phone", "email", "company", "city", "state"];

interface MessageFieldProps {
  value: string;
  onChange: (value: string) => void;
  error: string | undefined;
  /** Variables of the contacts themselves, beside the standard ones. */
  attributes: string[];
}

/** The text with its variables, which a button puts where the cursor is. */
export function MessageField({ value, onChange, error, attributes }: MessageFieldProps) {
  const { t } = useTranslation();
  const field = useRef<HTMLTextAreaElement>(null);
  const insert = (name: string) => {
    const area = field.current;
    if (!area) return;
    const { selectionStart, selectionEnd } = area;
    const text = `{{${name}}}`;
    onChange(value.slice(0, selectionStart) + text + value.slice(selectionEnd));
    // once React has written the text, the cursor goes behind it
    queueMicrotask(() => {
      area.focus();
      area.setSelectionRange(selectionStart + text.length, selectionStart + text.length);
    });
  };
  return (
    <div className="flex flex-col gap-2">
      <Field
        label={t("campaigns.text")}
        hint={t("campaigns.textHint", { example: "{{firstName|amigo}}" })}
        error={error}
      >
        <Textarea
          ref={field}
          value={value}
          onChange={({ target }) => onChange(target.value)}
          rows={6}
          maxLength={10_000}
        />
      </Field>
      <div role="group" aria-label={t("campaigns.variables")} className="flex flex-wrap gap-1.5">
        {[...VARIABLES, ...attributes].map((name) => (
          <Button key={name} size="sm" className="h-6 px-1.5 font-mono text-2xs" onClick={() => insert(name)}>
            {name}
          </Button>
        ))}
      </div>
    </div>
  );
}
