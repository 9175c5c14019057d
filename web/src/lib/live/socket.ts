/**
 * The tenant's live feed: one socket a tab. It comes back by itself, says what it saw last, and tells when what is on the screen
 * has to be read anew.
 */
export interface LiveEvent {
  seq: number;
  kind: string;
  data: unknown;
  at: string;
}

export type Handler<Data> = (data: Data, event: LiveEvent) => void;
export type LiveState = "connecting" | "open" | "waiting" | "ended";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** The server closes with this code when the session is over. */
const UNAUTHORIZED = 4401;
/** The same for a number that is still to come: the log is another one than we have seen. */
const UNKNOWN_SEQ = 4400;

/** How long to wait before try number `attempt`, from 0: doubled each time, and anywhere in its upper half, so that a thousand tabs do not come back at once. */
export function backoff(attempt: number, random: () => number = Math.random): number {
  const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);
  return most / 2 + (random() * most) / 2;
}

export interface LiveOptions {
  url: string;
  /** What is on the screen may be old: everything has to be read anew. */
  onStale: () => void;
  /** What was missed is told now; only what could not be read meanwhile has to be. */
  onResumed: () => void;
  /** The session is over. */
  onSignedOut: () => void;
  open?: (url: string) => WebSocket;
}

export class Live {
  private socket: WebSocket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private attempt = 0;
  private lastSeq: number | null = null;
  private state: LiveState = "connecting";
  private readonly handlers = new Map<string, Set<Handler<never>>>();
  private readonly watchers = new Set<() => void>();

  constructor(private readonly options: LiveOptions) {}

  /** Handles events of a kind until the answer is called. */
  on<Data>(kind: string, handler: Handler<Data>): () => void {
    const handlers = this.handlers.get(kind) ?? new Set();
    this.handlers.set(kind, handlers.add(handler as Handler<never>));
    return () => handlers.delete(handler as Handler<never>);
  }

  current = (): LiveState => this.state;

  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  start(): void {
    addEventListener("online", this.hurry);
    document.addEventListener("visibilitychange", this.hurry);
    this.connect();
  }

  stop(): void {
    removeEventListener("online", this.hurry);
    document.removeEventListener("visibilitychange", this.hurry);
    clearTimeout(this.timer);
    this.become("ended");
    this.socket?.close(1000);
    this.socket = null;
  }

  /** The network is back, or somebody looks again: there is nothing to wait for. */
  private readonly hurry = () => {
    if (this.state !== "waiting" || document.hidden) return;
    clearTimeout(this.timer);
    this.connect();
  };

  private connect(): void {
    this.become("connecting");
    const since = this.lastSeq === null ? "" : `?last_seq=${this.lastSeq}`;
    const open = this.options.open ?? ((url: string) => new WebSocket(url));
    const socket = open(this.options.url + since);
    this.socket = socket;
    socket.addEventListener("message", (message) => this.read(String(message.data)));
    socket.addEventListener("close", (closed) => {
      if (this.socket !== socket) return;
      this.socket = null;
      if (closed.code === UNAUTHORIZED) {
        this.become("ended");
        this.options.onSignedOut();
        return;
      }
      if (closed.code === UNKNOWN_SEQ) {
        this.lastSeq = null;
        this.options.onStale();
      }
      this.become("waiting");
      this.timer = setTimeout(() => this.connect(), backoff(this.attempt++));
    });
  }

  private read(text: string): void {
    const event = JSON.parse(text) as LiveEvent & { is_resumed?: boolean };
    switch (event.kind) {
      case "hello": {
        const isBack = this.lastSeq !== null;
        this.attempt = 0;
        this.become("open");
        // A server that hands out what was missed says so; one that cannot says what to do next. One of an older version says neither, and
        // leaves a gap. So does the first time: the screen was read before the socket was open.
        if (event.is_resumed) {
          this.options.onResumed();
          return;
        }
        this.lastSeq = event.seq;
        if (isBack ? event.is_resumed === undefined : event.seq > 0) this.options.onStale();
        return;
      }
      case "resync_required":
        this.lastSeq = event.seq ?? this.lastSeq;
        this.options.onStale();
        return;
      default:
        if (typeof event.seq === "number") {
          // handed out twice, by a replay and by the feed
          if (this.lastSeq !== null && event.seq <= this.lastSeq) return;
          this.lastSeq = event.seq;
        }
        this.handlers.get(event.kind)?.forEach((handler) => handler(event.data as never, event));
    }
  }

  private become(state: LiveState): void {
    this.state = state;
    this.watchers.forEach((watcher) => watcher());
  }
}
