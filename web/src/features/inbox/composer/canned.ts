/** Canned replies while one writes: `/` and the beginning of a shortcut, at the beginning of the text or after a space. */
import type { Schemas } from "@/lib/api/client";
import { plain } from "@/lib/text";

export type CannedReply = Schemas["CannedReply"];

export interface Slash {
  /** Where the slash is. */
  from: number;
  word: string;
}

/** The slash that is being written at the caret, if there is one. */
export function slashAt(text: string, caret: number): Slash | null {
  const found = /(?:^|\s)\/([\p{L}\p{N}_-]*)$/u.exec(text.slice(0, caret));
  const word = found?.[1];
  return word === undefined ? null : { from: caret - word.length - 1, word };
}

const MOST = 8;

/** Those whose shortcut begins so, then those whose text has the word. */
export function find(replies: readonly CannedReply[], word: string): CannedReply[] {
  const wanted = plain(word);
  const begins = replies.filter((reply) => plain(reply.shortcut).startsWith(wanted));
  const has = replies.filter(
    (reply) => !begins.includes(reply) && plain(`${reply.shortcut} ${reply.body}`).includes(wanted),
  );
  return [...begins, ...has].slice(0, MOST);
}
