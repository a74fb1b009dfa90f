// relayctl as its users run it: a process of its own, with its exit code and output.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const GOLDEN = fileURLToPath(new URL("../golden/cli/", import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input. Absent: none. */
  readonly input?: string;
}

export async function relayctl(
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    cwd: options.cwd,
    env: { ...process.env, UNSEEN_CONFIG: "", NO_COLOR: "1", TZ: "UTC", ...options.env },
  });
  const ended = once(child, "close");
  // A command that reads nothing may have ended before its input is written.
  child.stdin.on("error", () => child.stdin.destroy());
  child.stdin.end(options.input ?? "");
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  await ended;
  return { code: child.exitCode, stdout, stderr };
}

/** A directory that is removed after the test. */
export class Place implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "unseen-cli-"));

  write(name: string, content: string | Buffer): string {
    const file = join(this.directory, name);
    writeFileSync(file, content);
    return file;
  }

  relayctl(...args: string[]): Promise<Finished> {
    return relayctl(args, { cwd: this.directory });
  }

  /** The output without the name of the directory, and without the line breaks that its length causes. */
  anonymous(output: string): string {
    return output.replaceAll(this.directory, "DIR").replaceAll(/\s+DIR/g, " DIR");
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Compares with test/golden/cli/. UPDATE=1 writes the file anew; read it before you commit it. */
export function assertGolden(name: string, actual: string): void {
  const file = join(GOLDEN, name);
  if (process.env["UPDATE"] === "1") writeFileSync(file, actual);
  assert.equal(actual, readFileSync(file, "utf8"));
}
