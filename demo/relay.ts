// The relay as a process of its own, started and ended as on a server. The demo reads its log to see what it does.

import { type ChildProcessByStdio, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { Events } from "../src/observe/events.ts";

const MAIN = join(import.meta.dirname, "..", "src", "main.ts");
const PATIENCE = 15_000;

type Logged = { [Name in keyof Events]: { readonly event: Name } & Events[Name] }[keyof Events];
type Named<Name extends keyof Events> = Extract<Logged, { event: Name }>;

export class RelayProcess {
  readonly events: Logged[] = [];
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #ended: Promise<unknown>;
  readonly #watchers = new Set<() => void>();
  #said = "";

  private constructor(configFile: string) {
    this.#child = spawn(process.execPath, [MAIN, "serve", "--config", configFile], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#ended = once(this.#child, "exit");
    // The relay ends with the demo, even if the demo fails.
    process.once("exit", () => this.#child.kill("SIGKILL"));
    this.#child.stderr.on("data", (chunk: Buffer) => {
      this.#said += chunk.toString();
      this.#look();
    });
    createInterface(this.#child.stdout).on("line", (line) => {
      const logged: Logged = JSON.parse(line);
      this.events.push(logged);
      this.#look();
    });
  }

  /** Resolves when the relay has said "ready". */
  static async start(configFile: string): Promise<RelayProcess> {
    const relay = new RelayProcess(configFile);
    const exited = relay.#ended.then(() => {
      throw new Error(`the relay did not start:\n${relay.#said}`);
    });
    await Promise.race([relay.until("ready", () => relay.#said.includes("ready\n")), exited]);
    exited.catch(() => undefined);
    return relay;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  all<Name extends keyof Events>(name: Name, id?: string): Named<Name>[] {
    return this.events.filter(
      (logged): logged is Named<Name> =>
        logged.event === name && (id === undefined || ("id" in logged && logged.id === id)),
    );
  }

  /** Resolves to the first event with this name, and for this message if `id` is given, in the past or the future. */
  async event<Name extends keyof Events>(name: Name, id?: string): Promise<Named<Name>> {
    await this.until(`${name} ${id ?? ""}`, () => this.all(name, id).length > 0);
    const [first] = this.all(name, id);
    if (first === undefined) throw new Error(`no event ${name}`);
    return first;
  }

  /** Resolves when `isSo` is true, which is checked at every event. Rejects after a time limit. */
  until(what: string, isSo: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#watchers.delete(look);
        const log = this.events.slice(-5).map((logged) => JSON.stringify(logged));
        reject(new Error(`waited in vain for: ${what}\n${this.#said}${log.join("\n")}`));
      }, PATIENCE);
      timer.unref();
      const look = () => {
        if (!isSo()) return;
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
      look();
    });
  }

  #look(): void {
    for (const look of this.#watchers) look();
  }

  kill(signal: "SIGTERM" | "SIGKILL"): void {
    this.#child.kill(signal);
  }

  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.kill(signal);
    await this.#ended;
  }
}

/** The command line, as a postmaster uses it. */
export function relayctl(
  configFile: string,
  ...args: readonly string[]
): Promise<{ readonly output: string; readonly exitCode: number }> {
  return new Promise((resolve, reject) => {
    const argv = [MAIN, ...args, "--config", configFile];
    execFile(
      process.execPath,
      argv,
      { env: { ...process.env, NO_COLOR: "1" } },
      (error, stdout) => {
        if (error === null) resolve({ output: stdout, exitCode: 0 });
        else if (typeof error.code === "number") resolve({ output: stdout, exitCode: error.code });
        else reject(error);
      },
    );
  });
}
