import { FileSpreadsheet } from "lucide-react";
import { type DragEvent, useId, useState } from "react";
import { useTranslation } from "react-i18next";

import { cn } from "@/lib/cn";
import { useFormats } from "@/lib/format";

interface FilePickerProps {
  /** The one that is held already. */
  file: { name: string; size: number } | null;
  onChoose: (file: File) => void;
  isDisabled: boolean;
}

/** A file chosen by the browser's own dialog, or dropped. */
export function FilePicker({ file, onChoose, isDisabled }: FilePickerProps) {
  const { t } = useTranslation();
  const formats = useFormats();
  const id = useId();
  const [isOver, setOver] = useState(false);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const [dropped] = event.dataTransfer.files;
    if (dropped && !isDisabled) onChoose(dropped);
  };
  return (
    <div
      onDragOver={(event) => (event.preventDefault(), setOver(true))}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
      className={cn(
        "flex flex-col items-start gap-3 rounded-lg sm:flex-row sm:items-center sm:gap-4 border border-dashed border-edge bg-surface p-4 has-focus-visible:outline-2 has-focus-visible:outline-focus",
        isOver && "border-accent-ink bg-accent-soft",
      )}
    >
      <FileSpreadsheet aria-hidden className="size-8 shrink-0 text-faint" strokeWidth={1.25} />
      <div className="min-w-0 flex-1">
        <p className="font-medium [overflow-wrap:anywhere]">{file ? file.name : t("imports.drop")}</p>
        <p className="text-sm text-muted">{file ? formats.bytes(file.size) : t("imports.dropHint")}</p>
      </div>
      <input
        id={id}
        type="file"
        accept=".csv,.tsv,.txt,text/csv,text/plain"
        disabled={isDisabled}
        className="sr-only"
        onChange={({ target }) => {
          if (target.files?.[0]) onChoose(target.files[0]);
          // the same one, changed meanwhile, can be chosen again
          target.value = "";
        }}
      />
      <label
        htmlFor={id}
        className="inline-flex h-8 cursor-pointer items-center rounded-md border border-line bg-raised px-3 text-sm font-medium hover:bg-hover"
      >
        {t(file ? "imports.chooseOther" : "imports.choose")}
      </label>
    </div>
  );
}
