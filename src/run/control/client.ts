// relayctl's side of the control socket.

import { request } from "node:http";
import { describeError } from "../../observe/log.ts";
import type { Order } from "../../queue/postmaster.ts";
import type { ControlAnswer, Reloaded, ReloadRequest } from "./protocol.ts";

/** No relay answers: the socket does not exist, or its relay is dead. `cause` says which. */
export class NoRelay extends Error {
  constructor(path: string, cause: unknown) {
    super(`no relay answers on ${path}`, { cause });
    this.name = "NoRelay";
  }
}

const NOBODY = new Set(["ENOENT", "ECONNREFUSED", "EINVAL", "ENAMETOOLONG"]);

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
    post.on("error", (error) => {
      const code = "code" in error ? String(error.code) : "";
      const wrong = new Error(`cannot use ${socketPath}: ${describeError(error)}`, {
        cause: error,
      });
      reject(NOBODY.has(code) ? new NoRelay(socketPath, error) : wrong);
    });
    post.end(order);
  });
}
