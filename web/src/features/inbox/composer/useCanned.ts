import { type KeyboardEvent, type RefObject, useId, useState } from "react";
import { flushSync } from "react-dom";
import { useTranslation } from "react-i18next";

import { toast } from "@/components/ui/toasts";
import { client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { useMay } from "@/lib/session";

import { useCannedReplies } from "../data/reference";
import { said } from "../wire";
import { type CannedReply, find, slashAt } from "./canned";
import { optionId } from "./CannedList";

/** Puts something in at the caret, which then stands after it. */
export function insert(
  field: HTMLTextAreaElement | null,
  text: string,
  setBody: (body: string) => void,
  from = field?.selectionStart ?? 0,
): void {
  if (!field) return;
  const to = field.selectionEnd;
  flushSync(() => setBody(field.value.slice(0, from) + text + field.value.slice(to)));
  const caret = from + text.length;
  field.focus();
  field.setSelectionRange(caret, caret);
}

/** The canned replies that what is being written asks for. */
export function useCanned(
  conversation: string,
  text: string,
  field: RefObject<HTMLTextAreaElement | null>,
  setBody: (body: string) => void,
) {
  const { t } = useTranslation();
  const may = useMay();
  const id = useId();
  const [caret, setCaret] = useState<number | null>(null);
  const [place, setPlace] = useState(0);
  const slash = caret === null ? null : slashAt(text, caret);
  const { replies } = useCannedReplies(slash !== null && may("templates.view"));
  const found = slash ? find(replies, slash.word) : [];
  const at = Math.min(place, found.length - 1);
  const chosen = found[at];
  const choose = async (reply: CannedReply) => {
    setCaret(null);
    const from = slash?.from;
    try {
      const params = { path: { id: reply.id }, query: { conversation_id: conversation } };
      const { body } = await said(client.GET("/api/v1/canned-replies/{id}/text", { params }));
      insert(field.current, body, setBody, from);
    } catch (error) {
      toast("bad", errorText(error, t));
    }
  };
  return {
    isOpen: found.length > 0,
    active: chosen ? optionId(id, chosen) : undefined,
    list: { id, found, place: at, onChoose: (reply: CannedReply) => void choose(reply) },
    close: () => setCaret(null),
    look: ({ selectionStart, selectionEnd }: HTMLTextAreaElement) => {
      setCaret(selectionStart === selectionEnd ? selectionStart : null);
    },
    /** Whether the key was one for the list. */
    onKeyDown: (event: KeyboardEvent): boolean => {
      if (!chosen) return false;
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) setPlace((at + step + found.length) % found.length);
      else if ((event.key === "Enter" && !event.shiftKey) || event.key === "Tab") void choose(chosen);
      else if (event.key === "Escape") setCaret(null);
      else return false;
      event.preventDefault();
      return true;
    },
  };
}
