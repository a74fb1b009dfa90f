// The logins of a process beside the relay's: the relay judges them, so wrong passwords count together with those of
// submission.
//
// Invariant: without a relay, this process judges them itself, by the same users file and with the same limits. If a
// relay is there and fails to answer, nothing is judged.

import { request } from "node:http";
import { isWithoutListener } from "../base/net/unix-socket.ts";
import { describeError } from "../observe/log.ts";
import { Logins, type LoginMeans, type LoginRequest, type LoginResult } from "./logins.ts";
import { type JudgedLogin, parsedJson, parseJudged } from "./login-protocol.ts";
import type { User } from "./passwd-file.ts";

/** Milliseconds. The relay lets a client with wrong passwords wait for some ten seconds. */
const PATIENCE = 60_000;
/** Milliseconds after which a client whose login was not judged may come again. */
const PAUSE = 5000;

export class SharedLogins {
  readonly #own: Logins;
  readonly #socket: string;
  readonly #means: LoginMeans;

  /** `file` are the users, `socket` is the path of the relay's users.sock. */
  constructor(file: string, socket: string, means: LoginMeans) {
    this.#own = new Logins(means);
    this.#own.follow(file);
    this.#socket = socket;
    this.#means = means;
  }

  /** Never rejects. */
  async login(login: LoginRequest): Promise<LoginResult> {
    try {
      const judged = await this.#ask(login);
      if (judged === undefined) return await this.#own.login(login);
      if (judged.kind !== "right") return judged;
      const user = await this.#own.findNow(judged.user);
      return user === undefined ? { kind: "wrong" } : { kind: "right", user };
    } catch (error) {
      this.#means.log.event("relay.error", {
        where: this.#socket,
        error: describeError(error),
      });
      return { kind: "later", retryAfter: PAUSE };
    }
  }

  /** As {@link Logins.find}. */
  find(name: string): Promise<User | undefined> {
    return this.#own.find(name);
  }

  /** As {@link Logins.findNow}. */
  findNow(name: string): Promise<User | undefined> {
    return this.#own.findNow(name);
  }

  /** Undefined if no relay listens. */
  #ask(login: LoginRequest): Promise<JudgedLogin | undefined> {
    const options = { socketPath: this.#socket, path: "/login", method: "POST", agent: false };
    const signal = AbortSignal.timeout(PATIENCE);
    return new Promise((resolve, reject) => {
      const post = request({ ...options, signal }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          const judged = parseJudged(parsedJson(text));
          if (judged === undefined) reject(new Error(`no result of a login: ${text}`));
          else resolve(judged);
        });
      });
      post.on("error", (error) => (isWithoutListener(error) ? resolve(undefined) : reject(error)));
      post.end(JSON.stringify(login));
    });
  }
}
