/** What is begun to be written: one draft a conversation, here at once, and at the server soon after for the other devices. */
import { useSyncExternalStore } from "react";

import { client } from "@/lib/api/client";
import { ApiError } from "@/lib/api/error";

import { type Media, said } from "../wire";
import { isWaiting, type Kind } from "./outbox";

/** A file that is to go with what is being written. */
export interface Attached {
  key: string;
  name: string;
  size: number;
  state: "uploading" | "ready" | "failed" | "refused";
  /** How much of it has gone, 0 to 1. */
  share: number;
  /** What the server holds of it, once it is ready. */
  media: Media | null;
  error: unknown;
}

export interface Draft {
  kind: Kind;
  body: string;
  files: readonly Attached[];
  /** Files that were attached once and are not kept any more. */
  lost: number;
}

const EMPTY: Draft = { kind: "message", body: "", files: [], lost: 0 };
const SAVE_AFTER_MS = 700;

interface Entry {
  draft: Draft;
  /** What the server holds, as far as is known; null: not known. */
  saved: Draft | null;
  timer: ReturnType<typeof setTimeout> | undefined;
  isSaving: boolean;
}

const entries = new Map<string, Entry>();
const asked = new Set<string>();
const watchers = new Set<() => void>();

const tell = () => watchers.forEach((watcher) => watcher());
/** What the server can keep of it: files that it holds. */
const idsOf = ({ files }: Draft) => files.flatMap(({ media }) => (media ? [media.id] : []));
const isNothing = (draft: Draft) => draft.body === "" && idsOf(draft).length === 0;
const isSame = (a: Draft, b: Draft | null) =>
  b !== null &&
  a.body === b.body &&
  idsOf(a).join() === idsOf(b).join() &&
  (isNothing(a) || a.kind === b.kind);

export const asAttached = (media: Media): Attached => ({
  key: media.id,
  name: media.name,
  size: media.byte_count ?? 0,
  state: "ready",
  share: 1,
  media,
  error: null,
});

function entry(id: string): Entry {
  const found = entries.get(id) ?? { draft: EMPTY, saved: EMPTY, timer: undefined, isSaving: false };
  entries.set(id, found);
  return found;
}

/** The draft of a conversation; read from the server when it is first asked for. */
export function useDraft(id: string): Draft {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => entries.get(id)?.draft ?? EMPTY,
  );
}

/** Reads the draft of this user's other devices, unless something is being written here. */
export async function fetchDraft(id: string): Promise<void> {
  const { draft } = entry(id);
  if (asked.has(id) && !isNothing(draft)) return;
  asked.add(id);
  try {
    const kept = await said(client.GET("/api/v1/conversations/{id}/draft", { params: { path: { id } } }));
    const { kind, body, media, lost_file_count: lost } = kept;
    const now = entry(id);
    now.saved = { kind, body, files: media.map(asAttached), lost };
    // what was sent and has failed stands in the thread with its text
    const isSent = isWaiting(id, kind, body);
    if (now.draft.body === "" && now.draft.files.length === 0 && !isSent) now.draft = now.saved;
    tell();
  } catch (error) {
    // none is the rule; of a failure there is nothing to say: what is written here is not lost by it
    if (!(error instanceof ApiError)) throw error;
  }
}

/** Keeps what is being written; what is not said stays. */
export function keep(id: string, change: Partial<Draft>): void {
  const now = entry(id);
  now.draft = { ...now.draft, ...change };
  clearTimeout(now.timer);
  now.timer = setTimeout(() => void save(id), SAVE_AFTER_MS);
  tell();
}

export const filesOf = (id: string): readonly Attached[] => entry(id).draft.files;

/** It was sent: the server throws its draft away with the message, unless one that was on its way came later. */
export function forget(id: string): void {
  const now = entry(id);
  now.draft = { ...EMPTY, kind: now.draft.kind };
  clearTimeout(now.timer);
  // one that the server has of the other kind is none that it throws away by itself
  const isOther = now.saved !== null && now.saved.kind !== now.draft.kind && !isNothing(now.saved);
  now.saved = now.isSaving || isOther ? null : now.draft;
  if (isOther) now.timer = setTimeout(() => void save(id), SAVE_AFTER_MS);
  tell();
}

/** A text that had failed was thrown away: the server may still hold it as a draft. */
export function unlearn(id: string): void {
  entry(id).saved = null;
  keep(id, {});
}

async function save(id: string): Promise<void> {
  const now = entry(id);
  if (now.isSaving || isSame(now.draft, now.saved)) return;
  now.isSaving = true;
  const sent = now.draft;
  const { kind, body } = sent;
  const params = { path: { id } };
  try {
    if (isNothing(sent)) await client.DELETE("/api/v1/conversations/{id}/draft", { params });
    else {
      const kept = { kind, body, media_ids: idsOf(sent) };
      await client.PUT("/api/v1/conversations/{id}/draft", { params, body: kept });
    }
    if (now.saved !== null || isSame(now.draft, sent)) now.saved = sent;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
  } finally {
    now.isSaving = false;
  }
  if (!isSame(now.draft, now.saved)) now.timer = setTimeout(() => void save(id), SAVE_AFTER_MS);
}

/** Saves at once what waits, when the screen is left. */
export function flush(id: string): void {
  const now = entries.get(id);
  if (!now) return;
  clearTimeout(now.timer);
  void save(id);
}
