// The other side of archive.sock: an order, and the values of its answer as they come.

import { request, type IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import { isWithoutListener } from "../base/net/unix-socket.ts";
import { CommandError, EXIT } from "../contract/exit.ts";
import { describeError } from "../observe/log.ts";
import { parseLine } from "./protocol.ts";

/** No process of the archive answers at the socket. */
export class NoArchive extends Error {
  constructor(path: string, cause: unknown) {
    super(`no archive answers on ${path}`, { cause });
    this.name = "NoArchive";
  }
}

/**
 * Throws NoArchive before the first value if no process listens. Throws the operation's own CommandError, or one of exit
 * code 69 if the answer is cut off.
 */
export async function* askSocket(
  path: string,
  verb: string,
  order: object,
): AsyncGenerator<object, void> {
  const answer = await posted(path, verb, JSON.stringify(order));
  try {
    for await (const text of createInterface({ input: answer, crlfDelay: Infinity })) {
      const line = parseLine(text);
      if (line === undefined) break;
      if ("value" in line) yield line.value;
      else if (line.end === "whole") return;
      else throw new CommandError(line.end.error, line.end.exit);
    }
  } finally {
    answer.destroy();
  }
  throw new CommandError(`the archive's answer on ${path} was cut off`, EXIT.unavailable);
}

function posted(socketPath: string, verb: string, order: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const post = request({ socketPath, path: `/${verb}`, method: "POST" }, resolve);
    post.on("error", (error) => {
      if (isWithoutListener(error)) return reject(new NoArchive(socketPath, error));
      const what = `cannot use ${socketPath}: ${describeError(error)}`;
      return reject(new CommandError(what, EXIT.unavailable));
    });
    post.end(order);
  });
}
