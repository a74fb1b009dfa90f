// A program of somebody else, in a directory of its own, from its start to its end.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";

/** Every user may enter it: the peers become users of their own. */
export function workDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `unseen-peer-${name}-`));
  chmodSync(directory, 0o755);
  return directory;
}

/** Runs a daemon in the foreground until it is disposed of, by this signal; its directory goes with it. */
export async function startDaemon(
  argv: readonly string[],
  port: number,
  directory: string,
  end: "SIGTERM" | "SIGKILL" = "SIGTERM",
): Promise<AsyncDisposable> {
  const [command = "", ...args] = argv;
  // A group of its own, because both Exim and Dovecot are more than one process.
  const child = spawn(command, args, { detached: true, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, "exit");
  let listening = false;
  const knock = setInterval(() => {
    const socket = connect(port, "127.0.0.1", () => {
      listening = true;
      socket.destroy();
    });
    socket.on("error", () => socket.destroy());
  }, 100);
  try {
    await eventually("it listens", () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
      return listening;
    });
  } catch (error) {
    throw new Error(`${command} does not listen; it said: ${said}`, { cause: error });
  } finally {
    clearInterval(knock);
  }
  return {
    async [Symbol.asyncDispose]() {
      child.kill(end);
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The text of a file; "" while there is none. */
export function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, "latin1") : "";
}
