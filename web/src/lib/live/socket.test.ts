import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { backoff, Live } from "./socket";

class Wire extends EventTarget {
  static opened: Wire[] = [];
  closedWith: number | undefined;
  constructor(readonly url: string) {
    super();
    Wire.opened.push(this);
  }
  say(frame: unknown) {
    this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(frame) }));
  }
  cut(code = 1006) {
    this.dispatchEvent(Object.assign(new Event("close"), { code }));
  }
  close(code?: number) {
    this.closedWith = code;
  }
}

const onStale = vi.fn();
const onResumed = vi.fn();
const onSignedOut = vi.fn();
let live: Live;
const wire = () => Wire.opened.at(-1) as Wire;

beforeEach(() => {
  vi.useFakeTimers();
  Wire.opened = [];
  onStale.mockClear();
  onResumed.mockClear();
  onSignedOut.mockClear();
  live = new Live({
    url: "ws://x/live",
    onStale,
    onResumed,
    onSignedOut,
    open: (url) => new Wire(url) as unknown as WebSocket,
  });
  live.start();
});
afterEach(() => {
  live.stop();
  vi.useRealTimers();
});

test("an event reaches the handlers of its kind, once, until they go", () => {
  const handler = vi.fn();
  const remove = live.on("message.new", handler);
  wire().say({ kind: "hello", seq: 4 });
  wire().say({ kind: "message.new", seq: 5, data: { message_id: "m" } });
  wire().say({ kind: "message.new", seq: 5, data: { message_id: "m" } });
  wire().say({ kind: "typing", seq: 6, data: {} });
  remove();
  wire().say({ kind: "message.new", seq: 7, data: {} });
  expect(handler).toHaveBeenCalledTimes(1);
  expect(handler.mock.calls[0]?.[0]).toEqual({ message_id: "m" });
});

test("after a cut it comes back by itself and says what it saw last", () => {
  wire().say({ kind: "hello", seq: 4 });
  wire().say({ kind: "typing", seq: 9, data: {} });
  wire().cut();
  expect(live.current()).toBe("waiting");
  vi.advanceTimersByTime(500);
  expect(Wire.opened).toHaveLength(2);
  expect(wire().url).toBe("ws://x/live?last_seq=9");
});

test("a server that hands out what was missed leaves nothing to be read anew", () => {
  const handler = vi.fn();
  live.on("typing", handler);
  wire().say({ kind: "hello", seq: 0 });
  wire().cut();
  vi.advanceTimersByTime(500);
  onStale.mockClear();
  wire().say({ kind: "hello", seq: 3, is_resumed: true });
  for (const seq of [1, 2, 3]) wire().say({ kind: "typing", seq, data: {} });
  expect(handler).toHaveBeenCalledTimes(3);
  expect(onStale).not.toHaveBeenCalled();
  expect(onResumed).toHaveBeenCalledTimes(1);
});

test("a server that cannot hand out what was missed has everything read anew, once", () => {
  wire().say({ kind: "hello", seq: 3, is_resumed: false });
  wire().cut();
  vi.advanceTimersByTime(500);
  onStale.mockClear();
  wire().say({ kind: "hello", seq: 9000, is_resumed: false });
  expect(onStale).not.toHaveBeenCalled();
  wire().say({ kind: "resync_required", seq: 9000 });
  expect(onStale).toHaveBeenCalledTimes(1);
  expect(onResumed).not.toHaveBeenCalled();
});

test("a server that does not, or that has forgotten too much, has everything read anew", () => {
  wire().say({ kind: "hello", seq: 3 });
  wire().cut();
  vi.advanceTimersByTime(500);
  onStale.mockClear();
  wire().say({ kind: "hello", seq: 8 });
  expect(onStale).toHaveBeenCalledTimes(1);
  wire().say({ kind: "resync_required", seq: 20 });
  expect(onStale).toHaveBeenCalledTimes(2);
  wire().cut();
  vi.advanceTimersByTime(500);
  expect(wire().url).toBe("ws://x/live?last_seq=20");
});

test("a number that the server does not know is forgotten, and everything read anew", () => {
  wire().say({ kind: "hello", seq: 90 });
  wire().cut();
  vi.advanceTimersByTime(500);
  onStale.mockClear();
  wire().cut(4400);
  expect(onStale).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1000);
  expect(wire().url).toBe("ws://x/live");
});

test("a session that is over ends it for good", () => {
  wire().say({ kind: "hello", seq: 0 });
  wire().cut(4401);
  vi.advanceTimersByTime(60_000);
  expect(Wire.opened).toHaveLength(1);
  expect(onSignedOut).toHaveBeenCalledTimes(1);
});

test("waits grow to half a minute and differ from tab to tab", () => {
  expect(backoff(0, () => 0)).toBe(250);
  expect(backoff(0, () => 1)).toBe(500);
  expect(backoff(3, () => 1)).toBe(4000);
  expect(backoff(30, () => 1)).toBe(30_000);
  expect(backoff(30, () => 0)).toBe(15_000);
});
