/** What the server says about conversations, by the names of this feature. */
import type { Schemas } from "@/lib/api/client";

export type Conversation = Schemas["Conversation"];
export type ConversationState = Schemas["ConversationState"];
export type Service = Schemas["MessageService"];
/** A file of a message. Its addresses hold for some minutes. */
export type Media = Schemas["Media"];
export type Message = Schemas["Message"];
/** One try of a message: there are two where it went out over another service than was tried first. */
export type Attempt = Schemas["MessageAttempt"];
export type Label = Schemas["Label"];
export type Counts = Schemas["ConversationCounts"];
export type User = Schemas["User"];
/** What is to become of a conversation; what is absent stays. */
export type Change = Partial<Schemas["ConversationChange"]>;

/** The answer of a request that throws where it is no success. */
export async function said<Data>(answer: Promise<{ data?: Data }>): Promise<Data> {
  return (await answer).data as Data;
}

/** A time so that texts of it compare as the times do: all with six digits after the second. */
export function instant(at: string): string {
  const [whole = at, fraction = ""] = at.replace(/Z$|\+00:00$/, "").split(".");
  return `${whole}.${fraction.padEnd(6, "0")}`;
}

/** The name of the other side, or its address as people write it. */
export function isNamed(conversation: Conversation): conversation is Conversation & { name: string } {
  return Boolean(conversation.name);
}
