// The server on archive.sock.
//
// Invariants: an answer is made as fast as its reader takes it, and ends when its reader is gone. An operation that
// throws ends only its own answer.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import { dirname } from "node:path";
import { makeMissing, syncDirectoryNow } from "../../../base/durable/directory.ts";
import { listenOnUnixSocket } from "../../../base/net/unix-socket.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import { describeError, type Log } from "../../../observe/log.ts";
import type { Archive } from "./archive.ts";
import type { AnyOperation } from "./operation.ts";
import type { Line, Refusal } from "../../../archive/protocol.ts";

const ORDER_MAX = 8 * 1024 * 1024;

export interface ArchiveServer {
  /** Ends all answers. */
  close(): Promise<void>;
}

/** Rejects if the socket cannot be used. */
export async function serveArchive(
  archive: Archive,
  operations: ReadonlyMap<string, AnyOperation>,
): Promise<ArchiveServer> {
  const { log, settings } = archive;
  const ended = new AbortController();
  const answers = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const answer = respond(request, response, { archive, operations, ended: ended.signal });
    answers.add(answer);
    void answer.finally(() => answers.delete(answer));
  });
  for (const made of makeMissing(dirname(settings.socket))) syncDirectoryNow(dirname(made));
  await listenOnUnixSocket(server, settings.socket);
  server.on("error", (error) => failed(log, error));
  return {
    async close() {
      ended.abort();
      server.close();
      server.closeIdleConnections();
      await Promise.all(answers);
    },
  };
}

interface Answering {
  readonly archive: Archive;
  readonly operations: ReadonlyMap<string, AnyOperation>;
  readonly ended: AbortSignal;
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  { archive, operations, ended }: Answering,
): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  response.on("error", () => gone.abort());
  const signal = AbortSignal.any([gone.signal, ended]);
  response.writeHead(200, { "content-type": "application/x-ndjson", connection: "close" });
  const end = await ending(async () => {
    const known = operations.get((request.url ?? "").slice(1));
    if (request.method !== "POST" || known === undefined) {
      throw new CommandError("this archive does not know the request", EXIT.usage);
    }
    const order = await orderOf(request);
    for await (const value of known.answer(archive, order, signal)) {
      if (signal.aborted) return;
      await send(response, { value }, signal);
    }
  }, archive.log);
  if (!gone.signal.aborted && !ended.aborted) response.write(lineOf({ end: end ?? "whole" }));
  response.end();
}

/** Undefined when `work` did not throw. */
async function ending(work: () => Promise<void>, log: Log): Promise<Refusal | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof CommandError) return { error: error.message, exit: error.exitCode };
    failed(log, error);
    return { error: describeError(error), exit: EXIT.software };
  }
}

/** Resolves when the reader has room for more, or is gone. */
async function send(response: ServerResponse, line: Line, signal: AbortSignal): Promise<void> {
  if (response.write(lineOf(line)) || signal.aborted) return;
  try {
    await once(response, "drain", { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function lineOf(line: Line): string {
  return `${JSON.stringify(line)}\n`;
}

async function orderOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    chunks.push(chunk);
    length += chunk.length;
    if (length > ORDER_MAX) throw new CommandError("the order is too long", EXIT.usage);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw new CommandError("the order is not JSON", EXIT.usage);
  }
}

function failed(log: Log, error: unknown): void {
  log.event("relay.error", { where: "archive", error: describeError(error) });
}
