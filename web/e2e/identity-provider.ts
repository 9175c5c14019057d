/** A third party's identity provider (oidc-provider) for the stories of log-ins; `.ci/oidc-provider` installs it. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { request } from "@playwright/test";

import { targets } from "./stack";

const SCRIPT = fileURLToPath(new URL("../../tests/oidc/provider.mjs", import.meta.url));
const kit = join(targets(), "oidc-provider");

/** What every client of it is registered with. */
export const CLIENT = { id: "paloma", secret: "canary-client-secret" };

export const isInstalled = existsSync(join(kit, "version"));

export class IdentityProvider {
  private constructor(
    readonly issuer: string,
    readonly stop: () => Promise<void>,
  ) {}

  static async start(): Promise<IdentityProvider> {
    const child = spawn("node", [SCRIPT, kit], { stdio: ["ignore", "pipe", "ignore"] });
    const ended = new Promise<void>((done) => child.once("exit", () => done()));
    const stop = () => {
      child.kill();
      return ended;
    };
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.startsWith("http://127.0.0.1:")) return new IdentityProvider(line, stop);
    }
    throw new Error("the identity provider did not start");
  }

  /** Who logs in there from now on. */
  async person(sub: string, email: string, isVerified = true): Promise<void> {
    const person = { sub, email, email_verified: isVerified, amr: ["pwd"] };
    const context = await request.newContext();
    const answer = await context.post(`${this.issuer}/_test`, { data: { person } });
    if (!answer.ok()) throw new Error(await answer.text());
    await context.dispose();
  }
}
