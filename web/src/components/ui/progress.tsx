import { cn } from "@/lib/cn";

export interface Part {
  /** What it counts, for the colour's sake only: the numbers stand beside it in words. */
  className: string;
  value: number;
}

interface ProgressProps {
  label: string;
  /** Parts of the whole, in order. */
  parts: Part[];
  total: number;
  className?: string;
}

/** How far something is; the bar's parts are widths set by script, which the policy allows. */
export function Progress({ label, parts, total, className }: ProgressProps) {
  const done = parts.reduce((sum, part) => sum + part.value, 0);
  const share = total > 0 ? Math.min(100, (done / total) * 100) : 0;
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.floor(share)}
      className={cn("flex h-2 overflow-hidden rounded-sm bg-hover", className)}
    >
      {parts.map((part) => (
        <div
          key={part.className}
          className={cn("h-full", part.className)}
          style={{ width: `${total > 0 ? (part.value / total) * 100 : 0}%` }}
        />
      ))}
    </div>
  );
}
