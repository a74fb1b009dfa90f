// relayctl's side of the control socket.

import { request } from "node:http";
import type { Duplex } from "node:stream";
import { isWithoutListener } from "../../base/net/unix-socket.ts";
import { describeError } from "../../observe/log.ts";
import type { Order } from "../../queue/postmaster.ts";
import {
  type ControlAnswer,
  type HostsAnswer,
  type HostsOrder,
  playedPath,
  type Reloaded,
  type ReloadRequest,
} from "./protocol.ts";

/** No relay answers: the socket does not exist, or its relay is dead. `cause` says which. */
export class NoRelay extends Error {
  constructor(path: string, cause: unknown) {
    super(`no relay answers on ${path}`, { cause });
    this.name = "NoRelay";
  }
}

/** Throws NoRelay when no relay listens. Throws other errors when a relay listens but gives no valid answer. */
export async function askRelay(path: string, order: Order): Promise<ControlAnswer> {
  const answer: ControlAnswer = await ask(path, "/queue", JSON.stringify(order));
  return answer;
}

/** Like {@link askRelay}, but asks for a reload. */
export async function askForReload(
  path: string,
  wanted: ReloadRequest,
): Promise<Reloaded | { readonly error: string }> {
  const order = JSON.stringify(wanted);
  const answer: Reloaded | { readonly error: string } = await ask(path, "/reload", order);
  return answer;
}

/** Like {@link askRelay}, but asks about host lists. */
export async function askForHosts(
  path: string,
  order: HostsOrder,
): Promise<HostsAnswer | { readonly error: string }> {
  const answer: HostsAnswer | { readonly error: string } = await ask(
    path,
    "/hosts",
    JSON.stringify(order),
  );
  return answer;
}

/**
 * Like {@link askRelay}, but gives the order `path`, "PART/VERB", to a part. The answer is the part's own, or has the
 * field `error`.
 */
export async function askPart(socketPath: string, path: string, order: object): Promise<unknown> {
  const answer: unknown = await ask(socketPath, `/${path}`, JSON.stringify(order));
  return answer;
}

/**
 * Begins an SMTP session in which the relay takes us for the client `address`. `beginning` is what it has said already.
 * Rejects like {@link askRelay}.
 */
export function playClient(
  socketPath: string,
  address: string,
): Promise<{ readonly socket: Duplex; readonly beginning: Buffer }> {
  return new Promise((resolve, reject) => {
    const headers = { connection: "upgrade", upgrade: "smtp" };
    const asking = request({ socketPath, path: playedPath(address), headers }, (response) => {
      response.resume();
      reject(new Error("the running relay is of a version that plays no clients; restart it"));
    });
    asking.on("upgrade", (_, socket, beginning) => resolve({ socket, beginning }));
    asking.on("error", (error) => reject(unreachable(socketPath, error)));
    asking.end();
  });
}

/** Resolves to the relay's answer, whether a result or an error. */
function ask(socketPath: string, path: string, order: string): Promise<never> {
  return new Promise((resolve, reject) => {
    const post = request({ socketPath, path, method: "POST" }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("end", () => {
        try {
          resolve(JSON.parse(text));
        } catch (cause) {
          reject(new Error(`the relay's answer on ${socketPath} cannot be read`, { cause }));
        }
      });
    });
    post.on("error", (error) => reject(unreachable(socketPath, error)));
    post.end(order);
  });
}

function unreachable(socketPath: string, error: Error): Error {
  if (isWithoutListener(error)) return new NoRelay(socketPath, error);
  return new Error(`cannot use ${socketPath}: ${describeError(error)}`, { cause: error });
}
