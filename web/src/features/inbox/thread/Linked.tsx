import { Fragment } from "react";

const LINK = /\bhttps?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}]/g;

/** The text, with its web addresses as links. Only http and https: anything else stays text. */
export function Linked({ text }: { text: string }) {
  const parts: { text: string; isLink: boolean }[] = [];
  let last = 0;
  for (const found of text.matchAll(LINK)) {
    if (found.index > last) parts.push({ text: text.slice(last, found.index), isLink: false });
    parts.push({ text: found[0], isLink: true });
    last = found.index + found[0].length;
  }
  if (last < text.length) parts.push({ text: text.slice(last), isLink: false });
  return parts.map((part, place) =>
    part.isLink ? (
      <a
        key={place}
        href={part.text}
        target="_blank"
        rel="noopener noreferrer nofollow"
        className="underline underline-offset-2"
      >
        {part.text}
      </a>
    ) : (
      <Fragment key={place}>{part.text}</Fragment>
    ),
  );
}
