/** Whether something is written for a paused campaign that the server does not have: to go on would send the old text. */
import { useEffect, useSyncExternalStore } from "react";

let isUnsaved = false;
const listeners = new Set<() => void>();

function set(value: boolean): void {
  isUnsaved = value;
  for (const tell of listeners) tell();
}

export function useTellUnsaved(value: boolean): void {
  useEffect(() => {
    set(value);
    return () => set(false);
  }, [value]);
}

export function useUnsaved(): boolean {
  return useSyncExternalStore(
    (tell) => {
      listeners.add(tell);
      return () => listeners.delete(tell);
    },
    () => isUnsaved,
  );
}
