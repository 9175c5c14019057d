import { useTranslation } from "react-i18next";

import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";

/** A code of an authenticator, or one for whoever has lost it. */
export function CodeField({ autoFocus }: { autoFocus?: boolean }) {
  const { t } = useTranslation();
  return (
    <Field label={t("session.code")} hint={t("session.codeHint")}>
      <Input
        name="code"
        autoComplete="one-time-code"
        inputMode="text"
        required
        maxLength={20}
        autoFocus={autoFocus}
        className="figures"
      />
    </Field>
  );
}
