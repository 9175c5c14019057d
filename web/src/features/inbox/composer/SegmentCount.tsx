import { useTranslation } from "react-i18next";

import { useFormats } from "@/lib/format";

import { segmentsOf } from "./segments";

/** What a text costs as SMS. */
export function SegmentCount({ text }: { text: string }) {
  const { t } = useTranslation();
  const formats = useFormats();
  if (text === "") return null;
  const { count, left, costly } = segmentsOf(text);
  return (
    <p className="figures flex min-w-0 flex-wrap gap-x-2 px-1 text-xs text-faint">
      <span>{t("inbox.composer.segments", { count, left: formats.number(left) })}</span>
      {costly ? <span className="text-warn">{t("inbox.composer.costly", { letter: costly })}</span> : null}
    </p>
  );
}
