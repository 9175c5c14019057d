/** The one place where keys are listened to. A screen says which it knows while it is there; the help dialog lists them. */
export interface Shortcut {
  /** `j`, `Enter`, `?`, `Mod+k`, or two in a row: `g i`. */
  keys: string;
  /** The key of its text in `keys.…` or a text that is translated already. */
  label: string;
  /** Under which heading the help lists it. */
  group: string;
  run: (event: KeyboardEvent) => void;
  /** Also while somebody writes in a field: for Mod+K and Escape only. */
  inFields?: boolean;
  /** An act with a name of its own: the palette offers it too. */
  inPalette?: boolean;
}

/** How long the second key of two may take. */
const PAIR_MS = 1500;

const EDITABLE = "input, textarea, select, [contenteditable=''], [contenteditable='true'], [role='textbox']";

/** Whether somebody is writing there, so that letters are letters. */
export function isField(target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return false;
  const field = target.closest(EDITABLE);
  if (field instanceof HTMLInputElement) {
    return !["checkbox", "radio", "button", "submit", "range", "file"].includes(field.type);
  }
  return field !== null;
}

/** The name of what was pressed, `Mod+k`; null where it is no key of ours whatever it is. */
export function nameOf(event: KeyboardEvent): string | null {
  // a letter on its way through an input method, or one that AltGraph makes: {, @, # on a Spanish keyboard
  if (event.isComposing || event.keyCode === 229 || event.getModifierState("AltGraph")) return null;
  if (event.altKey) return null;
  const isMod = event.ctrlKey || event.metaKey;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return isMod ? `Mod+${key}` : key;
}

/** Whether Enter or Space already mean something where the focus is. */
function isControl(target: EventTarget | null): boolean {
  return (
    target instanceof Element &&
    target.closest("button, a[href], summary, [role='menuitem'], [role='option']") !== null
  );
}

export class Registry {
  private readonly groups = new Map<symbol, readonly Shortcut[]>();
  private readonly watchers = new Set<() => void>();
  private first: { key: string; at: number } | null = null;
  private listed: readonly Shortcut[] = [];

  /** Adds shortcuts until the answer is called. Those added last go first. */
  add(shortcuts: readonly Shortcut[]): () => void {
    const id = Symbol("shortcuts");
    this.groups.set(id, shortcuts);
    this.changed();
    return () => {
      this.groups.delete(id);
      this.changed();
    };
  }

  /** All there are now; the same array until one is added or goes. */
  list = (): readonly Shortcut[] => this.listed;

  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  /** Runs what the key means, if anything. */
  handle(event: KeyboardEvent): void {
    const name = nameOf(event);
    if (name === null || event.defaultPrevented || ["Shift", "Control", "Alt", "Meta"].includes(name)) return;
    const first = this.first && event.timeStamp - this.first.at < PAIR_MS ? this.first.key : null;
    this.first = null;
    const inField = isField(event.target);
    // a dialog has keys of its own; what lies under it has none meanwhile
    const isCovered = document.querySelector("[role='dialog'], [role='alertdialog'], [role='menu']") !== null;
    const all = [...this.listed].reverse().filter((shortcut) => shortcut.inFields || !(inField || isCovered));
    const pair = first && all.find((shortcut) => shortcut.keys === `${first} ${name}`);
    const found = pair || all.find((shortcut) => shortcut.keys === name);
    if (found) {
      if (name === "Enter" && isControl(event.target)) return;
      event.preventDefault();
      found.run(event);
      return;
    }
    if (!inField && all.some((shortcut) => shortcut.keys.startsWith(`${name} `))) {
      this.first = { key: name, at: event.timeStamp };
    }
  }

  private changed(): void {
    this.listed = [...this.groups.values()].flat();
    this.watchers.forEach((watcher) => watcher());
  }
}

export const registry = new Registry();
