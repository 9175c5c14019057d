import type { Label } from "./wire";

/** A label: its colour, which anybody may have chosen, never stands without its word. */
export function LabelDot({ label }: { label: Label }) {
  return (
    <span className="flex min-w-0 items-center gap-1">
      <span aria-hidden className="size-2 shrink-0 rounded-full" style={{ backgroundColor: label.color }} />
      <span className="truncate">{label.name}</span>
    </span>
  );
}
