/** The text in parts, those that were searched apart from the rest; accents and case do not matter, as in the search itself. */
import { plain } from "@/lib/text";

export interface Part {
  text: string;
  isHit: boolean;
}

/** Words of a search that stand for themselves, without operators. */
export function wordsOf(search: string): string[] {
  return plain(search)
    .split(" ")
    .filter((word) => word.length > 1 && !/^(from|has|before|after):/.test(word))
    .map((word) => word.replace(/^"|"$/g, ""));
}

export function marked(text: string, search: string): Part[] {
  const words = wordsOf(search);
  if (words.length === 0 || !text) return [{ text, isHit: false }];
  const parts: Part[] = [];
  for (const piece of text.match(/[\p{L}\p{N}\p{M}]+|[^\p{L}\p{N}\p{M}]+/gu) ?? []) {
    const isHit = words.some((word) => plain(piece).startsWith(word));
    const last = parts.at(-1);
    if (last?.isHit === isHit) last.text += piece;
    else parts.push({ text: piece, isHit });
  }
  return parts;
}
