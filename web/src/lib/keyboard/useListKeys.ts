import { useState } from "react";
import { useTranslation } from "react-i18next";

import { useShortcuts } from "./useShortcuts";

interface ListKeys {
  count: number;
  onOpen: (place: number) => void;
  /** Brings the row into view. */
  onMove?: (place: number) => void;
}

/** `j` and `k` move a mark through a list, Enter opens the row under it. Answers where the mark is; -1 before the first move. */
export function useListKeys({ count, onOpen, onMove }: ListKeys): [number, (place: number) => void] {
  const { t } = useTranslation();
  const [place, setPlace] = useState(-1);
  const move = (step: number) => {
    if (count === 0) return;
    const next = Math.min(Math.max(place + step, 0), count - 1);
    setPlace(next);
    onMove?.(next);
  };
  const group = t("keys.list");
  useShortcuts([
    { keys: "j", label: t("keys.next"), group, run: () => move(1) },
    { keys: "k", label: t("keys.previous"), group, run: () => move(-1) },
    { keys: "Enter", label: t("keys.open"), group, run: () => place >= 0 && place < count && onOpen(place) },
  ]);
  return [Math.min(place, count - 1), setPlace];
}
