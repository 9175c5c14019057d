/** Where the texts are that the first screen does not need. */
import type { Language, Texts, Topic } from "./index";

const FILES = import.meta.glob<{ default: Texts }>([
  "./*/*.json",
  "!./*/{common,inbox,keys,nav,problems,roles,session,states}.json",
]);

/** The texts of a topic in a language. */
export function textsOf(language: Language, topic: Topic): Promise<{ default: Texts }> {
  const load = FILES[`./${language}/${topic}.json`];
  if (!load) throw new Error(`there are no texts of ${topic}`);
  return load();
}
