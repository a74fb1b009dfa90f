// relayctl's side of the control socket.

import { request } from "node:http";
import { describeError } from "../log.ts";
import type { Order } from "../postmaster.ts";
import type { ControlAnswer } from "./protocol.ts";

/** Nobody answers: there is no socket, or its relay is dead. `cause` says which. */
export class NoRelay extends Error {
  constructor(path: string, cause: unknown) {
    super(`no relay answers on ${path}`, { cause });
    this.name = "NoRelay";
  }
}

const NOBODY = new Set(["ENOENT", "ECONNREFUSED", "EINVAL", "ENAMETOOLONG"]);

/** Throws NoRelay when none listens, and other errors when one does and does not answer rightly. */
export function askRelay(path: string, order: Order): Promise<ControlAnswer> {
  return new Promise((resolve, reject) => {
    const post = request({ socketPath: path, path: "/queue", method: "POST" }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("end", () => {
        try {
          const answer: ControlAnswer = JSON.parse(text);
          resolve(answer);
        } catch (cause) {
          reject(new Error(`the relay's answer on ${path} is none`, { cause }));
        }
      });
    });
    post.on("error", (error) => {
      const code = "code" in error ? String(error.code) : "";
      const wrong = new Error(`cannot use ${path}: ${describeError(error)}`, { cause: error });
      reject(NOBODY.has(code) ? new NoRelay(path, error) : wrong);
    });
    post.end(JSON.stringify(order));
  });
}
