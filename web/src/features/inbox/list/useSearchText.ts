import { useEffect, useEffectEvent, useState } from "react";

import type { View } from "../view";

const KEPT_AFTER_MS = 250;

/** What is searched: at once in the field, soon after in the address. Back in the history brings what was searched before. */
export function useSearchText({ view, show }: View) {
  const [text, setText] = useState(view.q ?? "");
  const [seen, setSeen] = useState(view.q ?? "");
  const [written, setWritten] = useState(view.q ?? "");
  const told = view.q ?? "";
  if (told !== seen) {
    setSeen(told);
    if (told !== written) setText(told);
  }
  const keep = useEffectEvent(() => {
    if (text === told) return;
    setWritten(text);
    show({ q: text || undefined }, { replace: true });
  });
  useEffect(() => {
    const timer = setTimeout(() => keep(), KEPT_AFTER_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return { text, setText };
}
