/** What is dangerous takes a fresh proof of who asks: it is asked for once the server says so, and the request is made again. */
import { useSyncExternalStore } from "react";

type Answer = (isProven: boolean) => void;

let waiting: readonly Answer[] = [];
const watchers = new Set<() => void>();

function set(next: readonly Answer[]): void {
  waiting = next;
  watchers.forEach((watcher) => watcher());
}

/** Whether somebody is to be asked now. */
export const useIsProofAsked = (): boolean =>
  useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => waiting.length > 0,
  );

/** Asks, and answers whether it was given; where nothing of ours is on the screen nobody is asked. */
export function askProof(): Promise<boolean> {
  if (watchers.size === 0) return Promise.resolve(false);
  return new Promise((answer) => set([...waiting, answer]));
}

/** Tells all that wait. */
export function answerProof(isProven: boolean): void {
  const told = waiting;
  set([]);
  told.forEach((answer) => answer(isProven));
}
