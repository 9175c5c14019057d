import { cn } from "@/lib/cn";

const isMac = /Mac|iPhone|iPad/.test(navigator.platform);
const NAMES: Record<string, string> = { Mod: isMac ? "⌘" : "Ctrl", Enter: "↵", Escape: "Esc" };

/** A shortcut as it is written in the registry, `g i` or `Mod+k`, as keys. */
export function Kbd({ keys, className }: { keys: string; className?: string }) {
  return (
    <span className={cn("inline-flex gap-1", className)}>
      {keys.split(/[ +]/).map((key, place) => (
        <kbd
          key={place}
          className="min-w-5 rounded-sm border border-line bg-raised px-1 text-center font-sans text-2xs text-muted"
        >
          {NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key)}
        </kbd>
      ))}
    </span>
  );
}
