// The server on users.sock, at which other processes of the relay have their logins judged: so one limiter counts the
// wrong passwords of all protocols, and one password is judged at a time.
//
// Invariants:
// - Only the relay's own user and root can open the socket, and it takes nothing but logins.
// - An order has at most 16 KiB, and at most 200 are under way.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { listenOnUnixSocket } from "../base/net/unix-socket.ts";
import { describeError, type Log } from "../observe/log.ts";
import type { Logins } from "./logins.ts";
import { type JudgedLogin, parsedJson, parseLogin } from "./login-protocol.ts";

const ORDER_MAX = 16 * 1024;
const UNDER_WAY_MAX = 200;
/** Milliseconds after which a client that was one too many may come again. */
const PAUSE = 5000;

type Judge = Pick<Logins, "login">;

export interface LoginServer {
  /** Cuts off what is under way. */
  close(): Promise<void>;
}

/** Never rejects: without the socket the relay still runs, and the log says what is wrong. */
export async function serveLogins(path: string, logins: Judge, log: Log): Promise<LoginServer> {
  let underWay = 0;
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { code, body } = await answered(request, logins, ++underWay > UNDER_WAY_MAX);
    underWay--;
    response.writeHead(code, { "content-type": "application/json", connection: "close" });
    response.end(JSON.stringify(body));
  };
  const server = createServer((request, response) => void respond(request, response));
  try {
    await listenOnUnixSocket(server, path);
  } catch (error) {
    const what = `the socket ${path} cannot be used: ${describeError(error)}`;
    log.event("relay.warning", { what });
    return { close: () => Promise.resolve() };
  }
  server.on("error", (error) =>
    log.event("relay.error", { where: "users.sock", error: describeError(error) }),
  );
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Never rejects. */
async function answered(
  request: IncomingMessage,
  logins: Judge,
  isTooMany: boolean,
): Promise<{ readonly code: number; readonly body: JudgedLogin | { readonly error: string } }> {
  const text = await textOf(request);
  const isLogin = request.method === "POST" && request.url === "/login" && text !== undefined;
  const login = isLogin ? parseLogin(parsedJson(text)) : undefined;
  if (login === undefined) return { code: 400, body: { error: "this is no login" } };
  if (isTooMany) return { code: 200, body: { kind: "later", retryAfter: PAUSE } };
  const result = await logins.login(login);
  if (result.kind !== "right") return { code: 200, body: result };
  return { code: 200, body: { kind: "right", user: result.user.address } };
}

/** Undefined when it is longer than any login, or breaks off. */
async function textOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request) {
      if (!Buffer.isBuffer(chunk)) return undefined;
      length += chunk.length;
      if (length > ORDER_MAX) return undefined;
      chunks.push(chunk);
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks).toString();
}
