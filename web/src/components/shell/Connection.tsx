import { WifiOff } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import { useLiveState } from "@/lib/live";

/** A gap shorter than this is not worth a word. */
const QUIET_MS = 3000;

/** Says that the screen may be old while the live feed is cut. */
export function Connection() {
  const { t } = useTranslation();
  const isCut = useLiveState() === "waiting";
  const [isLong, setLong] = useState(false);
  useEffect(() => {
    if (!isCut) return;
    const timer = setTimeout(() => setLong(true), QUIET_MS);
    return () => {
      clearTimeout(timer);
      setLong(false);
    };
  }, [isCut]);
  if (!isLong) return null;
  return (
    <div
      role="status"
      className="flex items-center justify-center gap-2 bg-warn-soft px-3 py-1 text-xs text-warn"
    >
      <WifiOff aria-hidden className="size-3.5" />
      {t("states.cut")}
    </div>
  );
}
