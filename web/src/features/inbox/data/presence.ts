/** Who else is in a conversation, and whether the other side is typing: worth something for seconds, so each word has an end. */
import { useEffect, useEffectEvent, useSyncExternalStore } from "react";

import { client, type Schemas } from "@/lib/api/client";
import { ApiError } from "@/lib/api/error";
import { useEvent } from "@/lib/live";

import { said } from "../wire";

const HOLDS_MS = 15_000;
const SAID_EVERY_MS = 9_000;

export interface Person {
  userId: string;
  name: string;
  state: "here" | "typing";
  until: number;
}

interface Here {
  people: readonly Person[];
  /** Until when the other side is typing. */
  typingUntil: number;
}

const NOBODY: Here = { people: [], typingUntil: 0 };
const places = new Map<string, Here>();
const watchers = new Set<() => void>();
let timer: ReturnType<typeof setTimeout> | undefined;

function set(id: string, here: Here): void {
  if (here.people.length === 0 && here.typingUntil === 0) places.delete(id);
  else places.set(id, here);
  watchers.forEach((watcher) => watcher());
  sweepSoon();
}

/** Ends what nobody has said again, at the moment when the first of it ends. */
function sweepSoon(): void {
  clearTimeout(timer);
  const ends = [...places.values()].flatMap(({ people, typingUntil }) => [
    ...people.map(({ until }) => until),
    ...(typingUntil ? [typingUntil] : []),
  ]);
  if (ends.length === 0) return;
  timer = setTimeout(
    () => {
      const now = Date.now();
      for (const [id, { people, typingUntil }] of places) {
        set(id, {
          people: people.filter(({ until }) => until > now),
          typingUntil: typingUntil > now ? typingUntil : 0,
        });
      }
    },
    Math.max(50, Math.min(...ends) - Date.now() + 20),
  );
}

export function usePresence(id: string): Here {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => places.get(id) ?? NOBODY,
  );
}

/** Whether anybody at the other side types there, for the list. */
export const useIsTyping = (id: string): boolean => usePresence(id).typingUntil > 0;

/** Hears who comes, types and goes. */
export function useLivePresence(me: string): void {
  useEvent("conversation.presence", ({ conversation_id: id, user_id: userId, name, state }) => {
    if (userId === me) return;
    const here = places.get(id) ?? NOBODY;
    const others = here.people.filter((person) => person.userId !== userId);
    const person = state === "gone" ? [] : [{ userId, name, state, until: Date.now() + HOLDS_MS }];
    set(id, { ...here, people: [...others, ...person] });
  });
  useEvent("typing", ({ conversation_id: id, is_typing: isTyping }) => {
    set(id, { ...(places.get(id) ?? NOBODY), typingUntil: isTyping ? Date.now() + HOLDS_MS : 0 });
  });
  useEvent("message.new", ({ conversation_id: id, direction }) => {
    const here = places.get(id);
    if (here?.typingUntil && direction === "inbound") set(id, { ...here, typingUntil: 0 });
  });
}

type State = Schemas["PresenceState"];

async function say(id: string, state: State): Promise<void> {
  try {
    const { items } = await said(
      client.POST("/api/v1/conversations/{id}/presence", { params: { path: { id } }, body: { state } }),
    );
    const people = items.map(({ user_id: userId, name, state: doing, expires_at: at }) => ({
      userId,
      name,
      state: doing === "typing" ? ("typing" as const) : ("here" as const),
      until: new Date(at).getTime(),
    }));
    set(id, { ...(places.get(id) ?? NOBODY), people });
  } catch (error) {
    // who else is there is not worth a word where the server can't say
    if (!(error instanceof ApiError)) throw error;
  }
}

/** Says that this user is in the conversation, or types there, for as long as they do and look. */
export function useBeingHere(id: string, isTyping: boolean): void {
  const word = useEffectEvent((): State => (isTyping ? "typing" : "here"));
  useEffect(() => {
    const speak = () => {
      if (document.visibilityState === "visible") void say(id, word());
    };
    const look = () => void say(id, document.visibilityState === "visible" ? word() : "gone");
    speak();
    const timer = setInterval(speak, SAID_EVERY_MS);
    document.addEventListener("visibilitychange", look);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
      void say(id, "gone");
    };
  }, [id]);
  const speakTyping = useEffectEvent(() => void say(id, word()));
  useEffect(() => {
    if (isTyping) speakTyping();
  }, [isTyping]);
}
