// Servers on Unix sockets, which only the process's own user and root can open.

import { lstatSync, rmSync } from "node:fs";
import { connect, type Server } from "node:net";

/** Rejects when another process answers at `path`, or the path cannot be used. */
export async function listenOnUnixSocket(server: Server, path: string): Promise<void> {
  if (await isAlive(path)) throw new Error("another process answers there");
  // An existing socket was left by a process that died. Any other file is not ours and stays.
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true) rmSync(path);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    // listen() creates the socket under this umask, so other users cannot open it even for a moment.
    const umask = process.umask(0o177);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
    process.umask(umask);
  });
}

const NO_LISTENER = new Set(["ENOENT", "ECONNREFUSED", "EINVAL", "ENAMETOOLONG"]);

/** Whether an error of a connection means that no process listens: the socket does not exist, or its process is dead. */
export function isWithoutListener(error: Error): boolean {
  return NO_LISTENER.has("code" in error ? String(error.code) : "");
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
