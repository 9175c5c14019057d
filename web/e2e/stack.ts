/** Starts the real thing for the tests, `paloma run` on free ports with a data folder of its own, and stops it after them. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { request } from "@playwright/test";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** A stack that has to make a database first is given this long. */
const READY_WITHIN_MS = 120_000;

export interface StackFacts {
  base: string;
  sim: string;
  email: string;
  password: string;
  /** The platform operator's, who makes tenants. */
  operatorToken: string;
  /** The cookies of whoever is logged in. */
  state: string;
  /** Whether its worker transcribes. */
  transcribes: boolean;
}

/** A port that nobody else is given until it is let go. */
async function heldPort(): Promise<{ port: number; letGo: () => Promise<unknown> }> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a port was expected");
  return { port: address.port, letGo: () => new Promise((done) => server.close(done)) };
}

/** Where the programs are built to, and what the tests need of others is installed. */
export function targets(): string {
  return execFileSync(join(ROOT, ".ci/target-dir"), { encoding: "utf8" }).trim();
}

/** The programs; where `make whisper` has made them, with a worker that transcribes and a model that is quick. */
function programs(folder: string): { bin: string; model: string | null } {
  const bin = process.env["PALOMA_BIN"] ?? join(targets(), "debug");
  const kit = join(targets(), "whisper");
  const [worker, model] = [join(kit, "paloma-worker"), join(kit, "tiny.en.bin")];
  if (!existsSync(worker) || !existsSync(model)) return { bin, model: null };
  const all = join(folder, "bin");
  mkdirSync(all);
  for (const name of ["paloma", "paloma-api", "paloma-scheduler", "paloma-sim"]) {
    // a program finds the others beside itself, and a link would lead it away from here
    copyFileSync(join(bin, name), join(all, name));
  }
  copyFileSync(worker, join(all, "paloma-worker"));
  return { bin: all, model };
}

/** Reads what the stack says until it is ready; answers the log-in that it prints. */
function untilReady(child: ChildProcess, log: string): Promise<{ email: string; password: string }> {
  return new Promise((done, fail) => {
    let said = "";
    const timer = setTimeout(
      () => fail(new Error(`not ready in time; see ${log}\n${said}`)),
      READY_WITHIN_MS,
    );
    child.once("exit", (code) => fail(new Error(`paloma run ended with ${code}; see ${log}\n${said}`)));
    child.stdout?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      const [, email] = /login\s+(\S+)/.exec(said) ?? [];
      const [, password] = /password\s+(\S+)/.exec(said) ?? [];
      if (!email || !password) return;
      clearTimeout(timer);
      done({ email, password });
    });
  });
}

export default async function start(): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), "paloma-web-"));
  // the database runs as somebody else where we are root
  chmodSync(folder, 0o755);
  const logs = join(ROOT, "target/playwright");
  mkdirSync(logs, { recursive: true });
  const log = join(logs, "stack.log");
  // both held until both are known: the second could be the first again
  const [held, heldOfSim] = [await heldPort(), await heldPort()];
  const [port, simPort] = [held.port, heldOfSim.port];
  const base = `http://127.0.0.1:${port}`;
  const { bin, model } = programs(folder);
  await Promise.all([held.letGo(), heldOfSim.letGo()]);
  const child = spawn(join(bin, "paloma"), ["run", "--empty"], {
    cwd: ROOT,
    env: {
      ...process.env,
      PALOMA_LISTEN: `127.0.0.1:${port}`,
      PALOMA_SIM_LISTEN: `127.0.0.1:${simPort}`,
      PALOMA_DATA_DIR: join(folder, "data"),
      // the stories' identity provider stands on this machine
      PALOMA_ALLOW_PRIVATE_ISSUERS: "true",
      ...(model === null ? {} : { PALOMA_WHISPER_MODEL: model }),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const file = createWriteStream(log);
  child.stdout.pipe(file);
  child.stderr.pipe(file);
  const stop = async () => {
    const ended = new Promise((done) => child.once("exit", done));
    if (child.exitCode === null) {
      child.kill("SIGINT");
      await ended;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const login = await untilReady(child, log);
    const state = join(folder, "state.json");
    const context = await request.newContext({ baseURL: base, extraHTTPHeaders: { origin: base } });
    const answer = await context.post("/api/v1/session", { data: login });
    if (!answer.ok()) throw new Error(`the log-in was refused: ${await answer.text()}`);
    await context.storageState({ path: state });
    await context.dispose();
    const operatorToken = readFileSync(join(folder, "data/operator-token"), "utf8").trim();
    const facts: StackFacts = {
      base,
      sim: `http://127.0.0.1:${simPort}`,
      ...login,
      operatorToken,
      state,
      transcribes: model !== null,
    };
    process.env["PALOMA_E2E"] = JSON.stringify(facts);
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}
