import { CircleAlert, CircleCheck, X } from "lucide-react";
import { useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "./button";

interface Toast {
  id: number;
  tone: "ok" | "bad";
  text: string;
  act: ToastAct | undefined;
}

/** What can be done about it: to take it back, for one. */
export interface ToastAct {
  text: string;
  run: () => void;
}

/** How long what went well is said; what went wrong stays until it is closed. */
const SHOWN_MS = 6000;

let toasts: readonly Toast[] = [];
let last = 0;
const watchers = new Set<() => void>();

function set(next: readonly Toast[]): void {
  toasts = next;
  watchers.forEach((watcher) => watcher());
}

const close = (id: number) => set(toasts.filter((toast) => toast.id !== id));

/** Says in a corner what was done, or what went wrong where there is no better place for it. */
export function toast(tone: Toast["tone"], text: string, act?: ToastAct): void {
  const id = ++last;
  set([...toasts.filter((other) => other.text !== text).slice(-3), { id, tone, text, act }]);
  if (tone === "ok") setTimeout(() => close(id), SHOWN_MS);
}

export function Toasts() {
  const { t } = useTranslation();
  const shown = useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => toasts,
  );
  // away from what is pressed most: on a phone the composer is below, elsewhere on the right
  return (
    <div
      role="region"
      aria-label={t("common.notices")}
      aria-live="polite"
      className="pointer-events-none fixed inset-x-3 top-3 z-70 flex flex-col items-end gap-2 md:top-auto md:bottom-4 md:left-20 md:items-start"
    >
      {shown.map(({ id, tone, text, act }) => (
        <div
          key={id}
          className="pointer-events-auto flex max-w-md items-start gap-2 rounded-md border border-line bg-overlay py-1.5 pr-1.5 pl-3 text-sm shadow-xl"
        >
          {tone === "ok" ? (
            <CircleCheck aria-hidden className="mt-1 size-4 shrink-0 text-ok" />
          ) : (
            <CircleAlert aria-hidden className="mt-1 size-4 shrink-0 text-bad" />
          )}
          <p className="min-w-0 py-0.5 [overflow-wrap:anywhere]">{text}</p>
          {act ? (
            <Button
              size="sm"
              onClick={() => {
                close(id);
                act.run();
              }}
            >
              {act.text}
            </Button>
          ) : null}
          <Button look="ghost" size="iconSm" aria-label={t("common.close")} onClick={() => close(id)}>
            <X aria-hidden />
          </Button>
        </div>
      ))}
    </div>
  );
}
