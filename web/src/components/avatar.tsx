import { cn } from "@/lib/cn";

const GROUNDS = [
  "bg-[#4a3b6b]",
  "bg-[#25506e]",
  "bg-[#22594a]",
  "bg-[#6b4a24]",
  "bg-[#6b3047]",
  "bg-[#4c5a24]",
];

/** The first letters of the first two words; of a number its last two digits. */
export function initials(name: string): string {
  const words = name
    .trim()
    .split(/\s+/)
    .filter((word) => /^\p{L}/u.test(word));
  if (words.length === 0) return name.replace(/\D/g, "").slice(-2) || "?";
  return [words[0], words.length > 1 ? words[words.length - 1] : ""]
    .map((word) => [...(word ?? "")][0] ?? "")
    .join("")
    .toLocaleUpperCase();
}

/** Initials on a ground that is always the same for the same name. */
export function Avatar({ name, className }: { name: string; className?: string }) {
  const sum = [...name].reduce((total, letter) => total + (letter.codePointAt(0) ?? 0), 0);
  return (
    <span
      aria-hidden
      className={cn(
        "inline-flex size-8 shrink-0 items-center justify-center rounded-full text-xs font-semibold text-ink",
        GROUNDS[sum % GROUNDS.length],
        className,
      )}
    >
      {initials(name)}
    </span>
  );
}
