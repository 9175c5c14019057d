import { Copy } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";

/** The codes, which the server shows this once. */
export function RecoveryCodes({ codes, onKept }: { codes: readonly string[]; onKept: () => void }) {
  const { t } = useTranslation();
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(codes.join("\n"));
      setCopied(true);
    } catch {
      // without leave to write there they are copied by hand
    }
  };
  return (
    <div className="flex flex-col gap-4">
      <ul aria-label={t("security.codes")} className="grid grid-cols-2 gap-2 font-mono text-base select-all">
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
      <div className="flex flex-wrap items-center justify-end gap-2">
        <span role="status" className="mr-auto text-sm text-ok">
          {isCopied ? t("security.copied") : null}
        </span>
        <Button onClick={() => void copy()}>
          <Copy aria-hidden />
          {t("security.copy")}
        </Button>
        <Button look="solid" onClick={onKept}>
          {t("security.kept")}
        </Button>
      </div>
    </div>
  );
}
