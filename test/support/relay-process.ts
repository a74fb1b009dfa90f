// The relay as its users run it, in a process of its own, so that it can be killed.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

export interface RelayProcess {
  readonly pid: number;
  readonly isGone: () => boolean;
  /** Everything on stdout so far. */
  readonly log: () => string;
  /** Resolves when the process has ended. */
  kill(signal: NodeJS.Signals): Promise<number | null>;
}

/**
 * Resolves when the relay is ready. Throws with its output when it ends before that. Its log may go to a file
 * descriptor.
 */
export async function startRelayProcess(
  config: string,
  environment: NodeJS.ProcessEnv = {},
  stdout: "pipe" | number = "pipe",
): Promise<RelayProcess> {
  const child: ChildProcess = spawn(process.execPath, [MAIN, "serve", "--config", config], {
    stdio: ["ignore", stdout, "pipe"],
    env: { ...process.env, ...environment },
  });
  let log = "";
  let errors = "";
  child.stdout?.on("data", (chunk: Buffer) => (log += chunk.toString()));
  const ended = once(child, "exit");
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", (chunk: Buffer) => {
      errors += chunk.toString();
      if (/^ready$/m.test(errors)) resolve();
    });
    child.once("exit", () => reject(new Error(`the relay did not start: ${errors}${log}`)));
  });
  return {
    pid: child.pid ?? 0,
    isGone: () => child.exitCode !== null || child.signalCode !== null,
    log: () => log,
    async kill(signal) {
      child.kill(signal);
      await ended;
      return child.exitCode;
    },
  };
}

/** A port that was free a moment ago, for a server that must come back on the same port. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}
