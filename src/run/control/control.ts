// The control socket: relayctl uses it to change the running relay's queue, to make it read its configuration or its
// host lists again, to give orders to its parts, and to play a client. HTTP over a Unix socket that only the relay's own
// user and root can open.
//
// Invariants:
// - Requests here never disturb mail. A request that fails gets an answer. If the socket cannot be created, the relay
//   starts without it.
// - Only this socket plays a client: the connection itself becomes the SMTP session, so no port and no address of this
//   machine, loopback included, leads to one.
//
// Doors: client.ts, protocol.ts.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { listenOnUnixSocket } from "../../base/net/unix-socket.ts";
import {
  type HostsAnswer,
  type HostsOrder,
  parseHostsOrder,
  parseJson,
  parseOrder,
  parseReload,
  playedClient,
  type Reloaded,
  type ReloadRequest,
  unfitSocketPath,
} from "./protocol.ts";
import { describeError } from "../../observe/log.ts";
import { carryOut, type PostmasterServices } from "../../queue/postmaster.ts";

export interface ControlServices extends PostmasterServices {
  reload(request: ReloadRequest): Promise<Reloaded>;
  hosts(order: HostsOrder): Promise<HostsAnswer>;
  /** The order of a part with this path, "/PART/VERB"; undefined if no part knows it. */
  partOrder?(path: string): ((order: unknown) => Promise<object>) | undefined;
  /** Serves the socket as an SMTP session of the client `address`, from which no message is accepted. */
  play(socket: Socket, address: string): void;
}

export interface Control {
  close(): Promise<void>;
}

const REQUEST_MAX = 8 * 1024 * 1024;

/** Never throws: without a socket the relay still runs, and the log says what is wrong. */
export async function openControl(path: string, services: ControlServices): Promise<Control> {
  const server = createServer((request, response) => {
    void respond(request, response, services);
  });
  const played = new Set<Socket>();
  server.on("upgrade", (request, socket, head) => {
    const address = playedClient(request.url ?? "");
    if (!isSocket(socket) || address === undefined || head.length > 0) {
      socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
      return;
    }
    played.add(socket);
    socket.on("close", () => played.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: smtp\r\n\r\n",
    );
    services.play(socket, address);
  });
  try {
    const unfit = unfitSocketPath(path);
    if (unfit !== undefined) throw new Error(unfit);
    await listenOnUnixSocket(server, path);
  } catch (error) {
    const what = `the control socket ${path} cannot be used: ${describeError(error)}`;
    services.log.event("relay.warning", { what });
    return { close: () => Promise.resolve() };
  }
  server.on("error", (error) =>
    services.log.event("relay.error", { where: "control socket", error: describeError(error) }),
  );
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of played) socket.destroy();
        server.closeIdleConnections();
      }),
  };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  services: ControlServices,
): Promise<void> {
  const { code, body } = await answer(request, services);
  // relayctl sends one request. A connection that is kept open would only delay the end of the relay.
  response.writeHead(code, { "content-type": "application/json", connection: "close" });
  response.end(`${JSON.stringify(body)}\n`);
}

async function answer(
  request: IncomingMessage,
  services: ControlServices,
): Promise<{ readonly code: number; readonly body: object }> {
  try {
    const text = await textOf(request);
    const partOrder = services.partOrder?.(request.url ?? "");
    const order = text === undefined || partOrder === undefined ? undefined : parseJson(text);
    if (request.method === "POST" && partOrder !== undefined && order !== undefined) {
      return { code: 200, body: await partOrder(order) };
    }
    const hosts = text === undefined ? undefined : parseHostsOrder(text);
    if (request.method === "POST" && request.url === "/hosts" && hosts !== undefined) {
      return { code: 200, body: await services.hosts(hosts) };
    }
    const reload = text === undefined ? undefined : parseReload(text);
    if (request.method === "POST" && request.url === "/reload" && reload !== undefined) {
      return { code: 200, body: await services.reload(reload) };
    }
    const wanted = text === undefined ? undefined : parseOrder(text);
    if (request.method !== "POST" || request.url !== "/queue" || wanted === undefined) {
      return { code: 400, body: { error: "this relay does not know the request" } };
    }
    return { code: 200, body: await carryOut(wanted, services) };
  } catch (error) {
    services.log.event("relay.error", { where: "control socket", error: describeError(error) });
    return { code: 500, body: { error: describeError(error) } };
  }
}

/** Undefined when the text is longer than any request of relayctl. */
async function textOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) return undefined;
    length += chunk.length;
    if (length > REQUEST_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function isSocket(stream: Duplex): stream is Socket {
  return stream instanceof Socket;
}
