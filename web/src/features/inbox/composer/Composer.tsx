import { CornerDownRight, Mic, Paperclip, SendHorizontal, X } from "lucide-react";
import {
  type ClipboardEvent,
  type KeyboardEvent,
  lazy,
  type Ref,
  type RefObject,
  Suspense,
  useEffect,
  useEffectEvent,
  useImperativeHandle,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toasts";
import { withTexts } from "@/i18n";
import { cn } from "@/lib/cn";
import { useMay } from "@/lib/session";

import { asAttached, type Attached, fetchDraft, flush, forget, keep, useDraft } from "../data/drafts";
import { type Kind, type Pending, write } from "../data/outbox";
import { useBeingHere } from "../data/presence";
import type { Conversation, Message } from "../wire";
import { CannedList } from "./CannedList";
import { EmojiButton } from "./EmojiButton";
import { insert, useCanned } from "./useCanned";

export const MOST_TEXT = 10_000;
/** So long after the last letter one is still typing. */
const TYPING_MS = 4_000;

// what few conversations need
const OptOut = lazy(async () => ({ default: (await import("./OptOut")).OptOut }));
const SegmentCount = lazy(async () => ({ default: (await import("./SegmentCount")).SegmentCount }));
const loadFiles = () => withTexts(import("./Files"), "files");
const Files = lazy(loadFiles);
// what shows a recording is there before it is made: the network may go meanwhile
const Recorder = lazy(() => loadFiles().then(() => withTexts(import("./Recorder"), "files")));

export interface ComposerHandle {
  /** Puts the caret there, for a reply or a note. */
  start: (kind: Kind) => void;
  answer: (message: Message) => void;
  attach: (files: readonly File[]) => void;
  /** Takes a text back that was not sent. */
  edit: (pending: Pending) => void;
}

interface ComposerProps {
  conversation: Conversation;
  handle: Ref<ComposerHandle>;
  /** What it begins with, where it was opened to write. */
  begin: Kind | undefined;
  /** It was sent: the newest is to be seen. */
  onSent: () => void;
  onLeave: () => void;
}

/** Where one writes: a reply, which goes out, or a note, which stays among colleagues. */
export function Composer({ conversation, handle, begin, onSent, onLeave }: ComposerProps) {
  const { t } = useTranslation();
  const id = conversation.id;
  const may = useMay();
  const { draft, setKind, setBody, isTyping } = useWriting(id);
  const field = useGrowing(draft.body);
  const [replyTo, setReplyTo] = useState<Pending["replyTo"]>(null);
  const [isDespite, setDespite] = useState(false);
  const [isRecording, setRecording] = useState(false);
  const kind = draft.kind === "message" && !may("conversations.reply") ? "note" : draft.kind;
  const canned = useCanned(id, draft.body, field, setBody);
  useBeingHere(id, isTyping);
  const mayAttach = () => {
    const isAllowed = may("media.upload") && may("conversations.reply");
    if (!isAllowed) toast("bad", t("inbox.why.permission"));
    return isAllowed;
  };
  const attach = (chosen: readonly File[]) => {
    if (chosen.length === 0 || !mayAttach()) return;
    // a note that somebody is writing may not become something that the customer reads
    if (kind === "note" && draft.body.trim() !== "") {
      toast("bad", t("inbox.composer.why.noteFiles"));
      return;
    }
    setKind("message");
    field.current?.focus();
    void withTexts(import("./attach"), "files").then((one) => one.attach(id, chosen));
  };
  const start = (wanted: Kind) => {
    setKind(wanted);
    field.current?.focus();
  };
  const startWith = useEffectEvent(() => begin && start(begin));
  useEffect(() => startWith(), []);
  useImperativeHandle(handle, () => ({
    start,
    answer: (message) => {
      setReplyTo({ id: message.id, preview: message.body.slice(0, 200) });
      start("message");
    },
    attach,
    edit: (pending) => {
      setKind(pending.kind);
      keep(id, { files: [...pending.media.map(asAttached), ...draft.files] });
      setBody([pending.body, field.current?.value].filter(Boolean).join("\n"));
      setReplyTo(pending.replyTo);
      field.current?.focus();
    },
  }));
  const obstacle = isRecording ? "recording" : obstacleOf(conversation, kind, isDespite, draft.files);
  const isEmpty = draft.body.trim() === "" && draft.files.length === 0;
  const isTooLong = [...draft.body].length > MOST_TEXT;
  const submit = () => {
    if (isEmpty || isTooLong) return;
    if (obstacle) return toast("bad", t(`inbox.composer.why.${obstacle}`));
    write({
      conversationId: id,
      kind,
      body: draft.body.trim(),
      media: draft.files.flatMap(({ media }) => media ?? []),
      replyTo: kind === "message" ? replyTo : null,
      despiteOptOut: kind === "message" && isDespite,
    });
    forget(id);
    setReplyTo(null);
    onSent();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // an input method confirms with Enter what it offers
    if (event.nativeEvent.isComposing || event.keyCode === 229) return;
    if (canned.onKeyDown(event)) return;
    if (event.key === "Escape") {
      // it throws the recording away first
      if (isRecording) return;
      event.preventDefault();
      if (replyTo) setReplyTo(null);
      else onLeave();
    } else if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      submit();
    }
  };
  return (
    <form
      aria-label={t("inbox.composer.label")}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
      className="shrink-0 border-t border-line bg-surface px-3 pt-2 pb-2.5"
    >
      <KindSwitch kind={kind} onKind={start} />
      {kind === "message" && conversation.suppression ? (
        <Suspense fallback={null}>
          <OptOut
            conversation={conversation}
            isDespite={isDespite}
            onDespite={() => {
              setDespite(true);
              field.current?.focus();
            }}
          />
        </Suspense>
      ) : null}
      {draft.files.length > 0 || draft.lost > 0 ? (
        <Suspense fallback={null}>
          <Files id={id} files={draft.files} lost={draft.lost} onGone={() => field.current?.focus()} />
        </Suspense>
      ) : null}
      {isRecording ? (
        <Suspense fallback={null}>
          <Recorder
            id={id}
            onEnd={() => {
              setRecording(false);
              field.current?.focus();
            }}
          />
        </Suspense>
      ) : null}
      {replyTo && kind === "message" ? (
        <Answering replyTo={replyTo} onCancel={() => setReplyTo(null)} />
      ) : null}
      <div
        className={cn(
          "relative rounded-lg border focus-within:outline-2 focus-within:outline-focus",
          kind === "note" ? "border-note-edge bg-note" : "border-edge bg-canvas",
        )}
      >
        {canned.isOpen ? <CannedList {...canned.list} /> : null}
        <textarea
          ref={field}
          rows={1}
          value={draft.body}
          disabled={obstacle === "blacklisted"}
          aria-label={t(`inbox.composer.${kind}Field`)}
          aria-autocomplete="list"
          aria-controls={canned.isOpen ? canned.list.id : undefined}
          aria-activedescendant={canned.active}
          placeholder={t(`inbox.composer.${kind}Placeholder`)}
          onChange={(event) => {
            setBody(event.target.value);
            canned.look(event.target);
          }}
          onPaste={(event: ClipboardEvent) => {
            const { files } = event.clipboardData;
            // a copied cell comes with a picture of itself: there the text is meant
            if (files.length === 0 || event.clipboardData.types.includes("text/plain")) return;
            event.preventDefault();
            attach([...files]);
          }}
          onSelect={(event) => canned.look(event.currentTarget)}
          onKeyDown={onKeyDown}
          onBlur={() => {
            canned.close();
            flush(id);
          }}
          className={cn(
            "block max-h-56 min-h-10 w-full resize-none bg-transparent px-3 py-2 text-base outline-none disabled:opacity-55",
            kind === "note" ? "text-note-ink placeholder:text-note-faint" : "placeholder:text-faint",
          )}
        />
        <div className="flex items-center gap-1 px-1.5 pb-1.5">
          <EmojiButton
            onPick={(emoji) => insert(field.current, emoji, setBody)}
            onClosed={() => field.current?.focus()}
          />
          <AttachButton isOff={kind === "note"} onFiles={attach} />
          <Button
            look="ghost"
            size="icon"
            aria-label={t("inbox.composer.record")}
            title={t(kind === "note" ? "inbox.composer.why.noteFiles" : "inbox.composer.record")}
            aria-disabled={kind === "note" || isRecording}
            onClick={() => kind !== "note" && mayAttach() && setRecording(true)}
          >
            <Mic aria-hidden />
          </Button>
          {kind === "message" && (conversation.service === "sms" || conversation.service === "rcs") ? (
            <Suspense fallback={null}>
              <SegmentCount text={draft.body} />
            </Suspense>
          ) : null}
          {isTooLong ? (
            <p className="text-xs text-bad">{t("inbox.composer.tooLong", { most: MOST_TEXT })}</p>
          ) : null}
          <Button
            type="submit"
            look={kind === "note" ? "plain" : "solid"}
            className="ml-auto"
            aria-disabled={isEmpty || isTooLong || obstacle !== null}
            title={t(
              obstacle
                ? `inbox.composer.why.${obstacle}`
                : isEmpty
                  ? "inbox.composer.why.empty"
                  : "inbox.composer.enter",
            )}
          >
            <SendHorizontal aria-hidden />
            {t(`inbox.composer.${kind}Send`)}
          </Button>
        </div>
      </div>
    </form>
  );
}

/** Why nothing can be sent, if so. Notes are always free. */
function obstacleOf(
  { suppression }: Conversation,
  kind: Kind,
  isDespite: boolean,
  files: readonly Attached[],
): "blacklisted" | "optedOut" | "noteFiles" | "uploading" | "badFiles" | null {
  if (kind === "note") return files.length > 0 ? "noteFiles" : null;
  if (suppression === "blacklisted") return "blacklisted";
  if (suppression && !isDespite) return "optedOut";
  if (files.some(({ state }) => state === "failed" || state === "refused")) return "badFiles";
  return files.some(({ state }) => state === "uploading") ? "uploading" : null;
}

function AttachButton({ isOff, onFiles }: { isOff: boolean; onFiles: (files: File[]) => void }) {
  const { t } = useTranslation();
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        onChange={({ target }) => {
          onFiles([...(target.files ?? [])]);
          // the same file again is a choice too
          target.value = "";
        }}
      />
      <Button
        look="ghost"
        size="icon"
        aria-label={t("inbox.composer.attach")}
        title={t(isOff ? "inbox.composer.why.noteFiles" : "inbox.composer.attach")}
        aria-disabled={isOff}
        onClick={() => !isOff && input.current?.click()}
      >
        <Paperclip aria-hidden />
      </Button>
    </>
  );
}

function KindSwitch({ kind, onKind }: { kind: Kind; onKind: (kind: Kind) => void }) {
  const { t } = useTranslation();
  const may = useMay();
  const needs = { message: "conversations.reply", note: "conversations.note" } as const;
  return (
    <div role="group" aria-label={t("inbox.composer.kind")} className="mb-1.5 flex gap-1">
      {(["message", "note"] as const).map((one) => {
        const isAllowed = may(needs[one]);
        return (
          <button
            key={one}
            type="button"
            aria-pressed={kind === one}
            aria-disabled={!isAllowed}
            title={isAllowed ? undefined : t("inbox.why.permission")}
            onClick={() => isAllowed && onKind(one)}
            className={cn(
              "h-6 rounded-md px-2 text-xs font-medium aria-disabled:cursor-not-allowed aria-disabled:opacity-55",
              kind === one
                ? one === "note"
                  ? "bg-note text-note-ink"
                  : "bg-selected text-ink"
                : "text-muted hover:bg-hover hover:text-ink",
            )}
          >
            {t(`inbox.composer.${one}Kind`)}
          </button>
        );
      })}
    </div>
  );
}

function Answering({
  replyTo,
  onCancel,
}: {
  replyTo: NonNullable<Pending["replyTo"]>;
  onCancel: () => void;
}) {
  const { t } = useTranslation();
  return (
    <div className="mb-1.5 flex items-center gap-2 rounded-md bg-raised px-2 py-1 text-xs text-muted">
      <CornerDownRight aria-hidden className="size-3.5 shrink-0" />
      <p className="min-w-0 flex-1 truncate">
        <span className="text-faint">{t("inbox.composer.answering")} </span>
        {replyTo.preview}
      </p>
      <Button look="ghost" size="iconSm" aria-label={t("inbox.composer.noAnswer")} onClick={onCancel}>
        <X aria-hidden />
      </Button>
    </div>
  );
}

/** The draft, with its kind, and whether one is at it. */
function useWriting(id: string) {
  const draft = useDraft(id);
  const [typedAt, setTypedAt] = useState(0);
  const isTyping = typedAt > 0;
  useEffect(() => {
    void fetchDraft(id);
    return () => flush(id);
  }, [id]);
  useEffect(() => {
    if (typedAt === 0) return;
    const timer = setTimeout(() => setTypedAt(0), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typedAt]);
  return {
    draft,
    isTyping: isTyping && draft.body !== "",
    setKind: (kind: Kind) => keep(id, { kind }),
    setBody: (body: string) => {
      keep(id, { body });
      setTypedAt(Date.now());
    },
  };
}

/** A field as high as its text, up to a limit. */
function useGrowing(text: string): RefObject<HTMLTextAreaElement | null> {
  const field = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    const element = field.current;
    if (!element) return;
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight}px`;
  }, [text]);
  return field;
}
