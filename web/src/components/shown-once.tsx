import { Copy } from "lucide-react";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";

interface ShownOnceProps {
  title: string;
  says: string;
  /** What the value is called; the title, unless it is said. */
  label?: string;
  /** None where the server has not kept it: the answer was lost, and asked for again. */
  value: string | null | undefined;
  /** What is said in its place then. */
  gone: string;
  copy: string;
  copied: string;
  onClose: () => void;
}

/** What the server shows this once, since it keeps only a hash: to be copied. */
export function ShownOnce({
  title,
  says,
  label = title,
  value,
  gone,
  copy,
  copied,
  onClose,
}: ShownOnceProps) {
  const { t } = useTranslation();
  const field = useRef<HTMLInputElement>(null);
  const [isCopied, setCopied] = useState(false);
  const onCopy = async () => {
    field.current?.select();
    try {
      await navigator.clipboard.writeText(value ?? "");
      setCopied(true);
    } catch {
      // without leave to write there it stays selected, to be copied by hand
    }
  };
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={title}
      description={says}
      footer={<Button onClick={onClose}>{t("common.close")}</Button>}
    >
      {value ? (
        <div className="flex flex-col gap-2">
          <div className="flex items-end gap-2">
            <Field label={label} className="flex-1">
              <Input
                ref={field}
                readOnly
                value={value}
                className="font-mono text-sm"
                onFocus={(event) => event.currentTarget.select()}
              />
            </Field>
            <Button look="solid" onClick={() => void onCopy()}>
              <Copy aria-hidden />
              {copy}
            </Button>
          </div>
          <p role="status" className="min-h-5 text-sm text-ok">
            {isCopied ? copied : null}
          </p>
        </div>
      ) : (
        <Notice tone="info">{gone}</Notice>
      )}
    </Dialog>
  );
}
