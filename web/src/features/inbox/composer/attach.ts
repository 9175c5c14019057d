/** Files on their way to the server: looked at, uploaded two at a time, tried again, called off. What became of each stands in the draft. */
import i18next from "i18next";

import { toast } from "@/components/ui/toasts";
import { onceKey } from "@/lib/api/client";
import { upload } from "@/lib/api/upload";

import { type Attached, filesOf, keep } from "../data/drafts";
import type { Media } from "../wire";

/** What the server takes, so that nobody waits for an upload that it will refuse. */
const MOST = 10;
export const LARGEST = 100_000_000;
/** The browser has six connections to us, and the rest of the screen needs some. */
const AT_ONCE = 2;

interface Work {
  conversationId: string;
  file: File;
  isVoice: boolean;
  abort: AbortController;
}

/** A recording, heard from here for as long as it stands in a draft. */
interface Sound {
  url: string;
  lengthMs: number;
}
const sounds = new Map<string, Sound & { conversationId: string }>();
export const soundOf = (key: string): Sound | undefined => sounds.get(key);

/** Those that are not uploaded yet; what is uploaded is not kept in memory. */
const works = new Map<string, Work>();
const waiting: string[] = [];
let running = 0;

export const hasRoom = (id: string): boolean => filesOf(id).length < MOST;

export function attach(id: string, chosen: readonly File[]): void {
  const room = MOST - filesOf(id).length;
  if (chosen.length > room) toast("bad", i18next.t("files.tooMany", { most: MOST }));
  const added = chosen.slice(0, Math.max(0, room)).map((file) => begin(id, file, false));
  if (added.length === 0) return;
  keep(id, { files: [...filesOf(id), ...added] });
  next();
}

/** A recording goes out as a voice message, not as a file. */
export function attachVoice(id: string, file: File, lengthMs: number): void {
  for (const [key, { url, conversationId }] of sounds) {
    if (filesOf(conversationId).some((one) => one.key === key)) continue;
    URL.revokeObjectURL(url);
    sounds.delete(key);
  }
  const added = begin(id, file, true);
  sounds.set(added.key, { url: URL.createObjectURL(file), lengthMs, conversationId: id });
  keep(id, { files: [...filesOf(id), added] });
  next();
}

function begin(conversationId: string, file: File, isVoice: boolean): Attached {
  const key = onceKey();
  works.set(key, { conversationId, file, isVoice, abort: new AbortController() });
  waiting.push(key);
  return { key, name: file.name, size: file.size, state: "uploading", share: 0, media: null, error: null };
}

export function retry(id: string, key: string): void {
  if (!works.has(key)) return;
  change(id, key, { state: "uploading", share: 0, error: null });
  waiting.push(key);
  next();
}

export function remove(id: string, key: string): void {
  keep(id, { files: filesOf(id).filter((file) => file.key !== key) });
  works.get(key)?.abort.abort();
  works.delete(key);
}

function change(id: string, key: string, news: Partial<Attached>): void {
  keep(id, { files: filesOf(id).map((file) => (file.key === key ? { ...file, ...news } : file)) });
}

function next(): void {
  while (running < AT_ONCE) {
    const key = waiting.shift();
    if (key === undefined) return;
    const work = works.get(key);
    if (!work) continue;
    running += 1;
    void send(key, work).finally(() => {
      running -= 1;
      next();
    });
  }
}

async function send(key: string, { conversationId: id, file, isVoice, abort }: Work): Promise<void> {
  const why = await refusalOf(file);
  if (why) {
    works.delete(key);
    change(id, key, { state: "refused", error: why });
    return;
  }
  const form = new FormData();
  form.append("file", file, file.name);
  try {
    const media = await upload<Media>({
      path: "/api/v1/media",
      query: isVoice ? { kind: "voice" } : {},
      file: form,
      key,
      signal: abort.signal,
      onProgress: (share) => change(id, key, { share }),
    });
    works.delete(key);
    change(id, key, { state: "ready", share: 1, media });
  } catch (error) {
    // it was taken out meanwhile
    if (abort.signal.aborted) return;
    change(id, key, { state: "failed", error });
  }
}

export type Refusal = "empty" | "tooLarge" | "unreadable";

/** Why it can't be sent whatever happens, if so. */
async function refusalOf(file: File): Promise<Refusal | null> {
  if (file.size > LARGEST) return "tooLarge";
  try {
    // a folder looks like a file until it is read
    await file.slice(0, 1).arrayBuffer();
  } catch {
    return "unreadable";
  }
  return file.size === 0 ? "empty" : null;
}

addEventListener("beforeunload", (event) => {
  if (works.size > 0) event.preventDefault();
});
