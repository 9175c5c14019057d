import { useEffect, useEffectEvent, useSyncExternalStore } from "react";

import { registry, type Shortcut } from "./registry";

/** The shortcuts of a screen or a part of it, for as long as it is there. Give a new `id` where the set of keys changes. */
export function useShortcuts(shortcuts: Shortcut[], id = ""): void {
  const run = useEffectEvent((keys: string, event: KeyboardEvent) => {
    shortcuts.find((shortcut) => shortcut.keys === keys)?.run(event);
  });
  const list = useEffectEvent(() =>
    shortcuts.map((shortcut) => ({ ...shortcut, run: (event: KeyboardEvent) => run(shortcut.keys, event) })),
  );
  const names = shortcuts.map((shortcut) => `${shortcut.keys}:${shortcut.label}`).join();
  useEffect(() => registry.add(list()), [names, id]);
}

/** Listens, once, at the root. */
export function useKeyboard(): void {
  useEffect(() => {
    const handle = (event: KeyboardEvent) => registry.handle(event);
    document.addEventListener("keydown", handle);
    return () => document.removeEventListener("keydown", handle);
  }, []);
}

export function useShortcutList(): readonly Shortcut[] {
  return useSyncExternalStore(registry.watch, registry.list);
}
