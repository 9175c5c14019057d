/** One conversation: read, read again when it has changed, and changed by whoever looks at it. */
import { useQuery } from "@tanstack/react-query";

import { client } from "@/lib/api/client";
import { ApiError } from "@/lib/api/error";
import { queryClient } from "@/lib/api/query";
import { fellBehind } from "@/lib/live";

import { type Change, type Conversation, said } from "../wire";
import { conversationKey, drop, known, place } from "./lists";
import { now, statusSince } from "./moves";

async function readOne(id: string): Promise<Conversation> {
  const asked = now();
  const conversation = await said(client.GET("/api/v1/conversations/{id}", { params: { path: { id } } }));
  const { last_message: last } = conversation;
  if (!last) return conversation;
  return { ...conversation, last_message: { ...last, status: statusSince(last.id, last.status, asked) } };
}

export function useConversation(id: string) {
  return useQuery({
    queryKey: conversationKey(id),
    queryFn: () => readOne(id),
    placeholderData: () => known(id),
  });
}

/** Conversations to be read again at most; with more of them the lists are read as a whole, which costs less. */
const MOST_WAITING = 40;
const AT_ONCE = 3;

interface Reader {
  me: string;
  open: string | undefined;
}

/** Reads conversations again that events told of: each once, however many events there were, a few at a time. */
class Refresher {
  /** Who looks, and at what; said by the screen. */
  reader: Reader = { me: "", open: undefined };
  private readonly waiting = new Set<string>();
  private readonly running = new Set<string>();

  ask(id: string): void {
    this.waiting.add(id);
    if (this.waiting.size > MOST_WAITING) {
      this.waiting.clear();
      void queryClient.invalidateQueries({ queryKey: ["inbox", "list"] });
      void queryClient.invalidateQueries({ queryKey: ["inbox", "conversation"] });
      return;
    }
    this.next();
  }

  private next(): void {
    for (const id of this.waiting) {
      if (this.running.size >= AT_ONCE) return;
      if (this.running.has(id)) continue;
      this.waiting.delete(id);
      this.running.add(id);
      void this.read(id).finally(() => {
        this.running.delete(id);
        this.next();
      });
    }
  }

  private async read(id: string): Promise<void> {
    try {
      const conversation = await readOne(id);
      place(conversation, this.reader.me, this.reader.open);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) drop(id);
      else fellBehind();
    }
  }
}

export const refresher = new Refresher();

/** Changes a conversation at once on the screen, then at the server; what is refused is taken back. */
export async function change(before: Conversation, body: Change, me: string): Promise<Conversation> {
  const { id } = before;
  const wanted = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
  const { open } = refresher.reader;
  place({ ...before, ...wanted } as Conversation, me, open);
  try {
    const after = await said(
      client.PATCH("/api/v1/conversations/{id}", {
        params: { path: { id } },
        body: wanted as Required<Change>,
      }),
    );
    place(after, me, open);
    return after;
  } catch (error) {
    place(before, me, open);
    throw error;
  }
}
