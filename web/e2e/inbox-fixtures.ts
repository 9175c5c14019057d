/** What the stories of the inbox share: the other side, played by the simulator, and the live feed, which can be cut. */
import { type Page, request } from "@playwright/test";

import { type Api, expect, stack } from "./fixtures";

export interface Conversation {
  id: string;
  address: string;
  unread_count: number;
  assignee_id: string | null;
  state: string;
  name: string | null;
}

export interface Said {
  id: string;
  body: string;
  kind: string;
  direction: string;
  status: string;
  media: { id: string; name: string; kind: string }[];
  attempts: { service: string; status: string }[];
}

async function control(path: string, data: unknown): Promise<void> {
  const context = await request.newContext();
  const answer = await context.post(`${stack().sim}/_sim/${path}`, { data });
  if (!answer.ok()) throw new Error(`the simulator refused ${path}: ${await answer.text()}`);
  await context.dispose();
}

/** The other side. */
export const theirs = {
  write: (address: string, text: string, service = "iMessage", count = 1) =>
    control("inbound", { address, text, service, count }),
  /** The gateway from now on. */
  be: (config: Record<string, unknown>) => control("config", config),
  /** How sends to an address end. */
  rule: (rule: Record<string, unknown>) => control("rules", rule),
  /** Sends a file. */
  send: async (
    address: string,
    file: { name: string; mimeType: string; buffer: Buffer },
    isVoice = false,
  ) => {
    const context = await request.newContext();
    const query = new URLSearchParams({
      address,
      name: file.name,
      mime: file.mimeType,
      is_voice: String(isVoice),
    });
    const answer = await context.post(`${stack().sim}/_sim/file?${query.toString()}`, { data: file.buffer });
    if (!answer.ok()) throw new Error(`the simulator refused the file: ${await answer.text()}`);
    await context.dispose();
  },
};

let last = Math.floor(Date.now() / 1000) % 7_000;
/** A number that no other story has; 305 555 is given to nobody. Those that end in 0000-0999 and 9000-9999 are given out by hand. */
export function freshNumber(): string {
  last = (last + 1) % 7_000;
  return `+1305555${String(1_500 + last).padStart(4, "0")}`;
}

export async function conversationOf(api: Api, address: string): Promise<Conversation> {
  let found: Conversation | undefined;
  await expect
    .poll(async () => {
      const { items } = await api.get<{ items: Conversation[] }>("/conversations?limit=200");
      found = items.find((item) => item.address === address);
      return found !== undefined;
    })
    .toBe(true);
  if (!found) throw new Error(`${address} has no conversation`);
  return found;
}

export const threadOf = async (api: Api, id: string): Promise<Said[]> =>
  (await api.get<{ items: Said[] }>(`/conversations/${id}/messages?limit=200`)).items.toReversed();

/** A contact who has written once. */
export async function writer(
  api: Api,
  name: string,
  text = "Hola",
): Promise<Conversation & { title: string }> {
  const address = freshNumber();
  await api.post("/contacts", { first_name: name, last_name: address.slice(-4), phone: address });
  await theirs.write(address, text);
  return { ...(await conversationOf(api, address)), title: `${name} ${address.slice(-4)}` };
}

export const rowOf = (page: Page, { id }: { id: string }) => page.locator(`[data-conversation="${id}"]`);
export const thread = (page: Page) => page.getByRole("log", { name: "Mensajes" });
export const bubbles = (page: Page) => thread(page).getByRole("article");
export const composer = (page: Page) => page.getByRole("textbox", { name: "Respuesta al contacto" });

export async function open(page: Page, conversation: { id: string }): Promise<void> {
  await page.goto(`/inbox?conversation=${conversation.id}`);
  await expect(thread(page)).toBeVisible();
}

/** The live feed of a page, through a gate that can be shut. */
export async function gateOfFeed(page: Page): Promise<{
  shut: () => Promise<void>;
  open: () => void;
  /** How often it was asked for while it was shut. */
  refused: () => number;
  told: { kind: string; is_resumed?: boolean }[];
}> {
  let isShut = false;
  let refused = 0;
  const told: { kind: string; is_resumed?: boolean }[] = [];
  const sockets = new Set<{ close: () => Promise<void> }>();
  await page.routeWebSocket(/\/api\/v1\/live/, async (socket) => {
    if (isShut) {
      refused += 1;
      return socket.close();
    }
    sockets.add(socket);
    const server = socket.connectToServer();
    server.onMessage((frame) => {
      told.push(JSON.parse(String(frame)) as { kind: string; is_resumed?: boolean });
      socket.send(frame);
    });
  });
  return {
    told,
    refused: () => refused,
    shut: async () => {
      isShut = true;
      for (const socket of sockets) await socket.close();
      sockets.clear();
    },
    open: () => {
      isShut = false;
    },
  };
}
