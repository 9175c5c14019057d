import { useCallback } from "react";
import { useTranslation } from "react-i18next";

import { Badge, type Tone } from "@/components/ui/badge";
import type { Schemas } from "@/lib/api/client";

import { DELIMITER_NAMES, ENCODINGS } from "./held";

export type Import = Schemas["Import"];

const TONES: Record<Import["state"], Tone> = {
  queued: "quiet",
  running: "info",
  completed: "ok",
  failed: "bad",
};

export function ImportState({ state }: { state: Import["state"] }) {
  const { t } = useTranslation();
  return <Badge tone={TONES[state]}>{t(`imports.states.${state}`)}</Badge>;
}

/** How a file was read: what it is written in, and what stands between its columns. */
export function useReadAs(): (file: Pick<Import, "encoding" | "delimiter">) => string {
  const { t } = useTranslation();
  return useCallback(
    ({ encoding, delimiter }) => {
      const known = ENCODINGS.find((name) => name === encoding);
      const name = DELIMITER_NAMES[delimiter as keyof typeof DELIMITER_NAMES] as
        (typeof DELIMITER_NAMES)[keyof typeof DELIMITER_NAMES] | undefined;
      return t("imports.readAs", {
        encoding: known ? t(`imports.encodings.${known}`) : encoding,
        delimiter: name ? t(`imports.delimiters.${name}`) : delimiter,
      });
    },
    [t],
  );
}

/** Why a row is refused, or what was repaired in it; a code without a text of ours is shown as it is. */
export function useRowReason(): (code: string) => string {
  const { t } = useTranslation();
  return useCallback(
    (code) => {
      const texts = t("imports.reasons", { returnObjects: true }) as Record<string, string>;
      return texts[code] ?? code;
    },
    [t],
  );
}
