// Logging in: the password, then the second factor if the user has one.
//
// Invariants:
// - Before the last step, the browser gets nothing that opens a page.
// - A right password without its code opens nothing, and five wrong codes end the login.

import { randomBytes } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { SharedLogins } from "../../users/shared-logins.ts";
import type { User } from "../../users/passwd-file.ts";
import { CODE_TIME } from "./cookies.ts";
import type { SecondFactors } from "./second-factor.ts";
import type { Sessions } from "./sessions.ts";

export type Entry =
  | { readonly kind: "in"; readonly token: string; readonly user: User }
  /** The code of the second factor must follow, with this token. */
  | { readonly kind: "code"; readonly token: string }
  /** `mayTryAgain`: another code may follow the same password. */
  | { readonly kind: "wrong"; readonly mayTryAgain: boolean }
  /** Seconds after which the user may try again. */
  | { readonly kind: "later"; readonly seconds: number };

interface Waiting {
  readonly user: User;
  readonly until: number;
  wrong: number;
}

const WAITING_MAX = 10_000;
const WRONG_CODES_MAX = 5;
const CODE_PAUSE = 30;

export interface EntryMeans {
  readonly clock: Clock;
  readonly logins: Pick<SharedLogins, "login">;
  readonly factors: SecondFactors;
  readonly sessions: Sessions;
}

export class Entries {
  readonly #means: EntryMeans;
  /** Logins that wait for their code, by their tokens, the oldest first. */
  readonly #waiting = new Map<string, Waiting>();

  constructor(means: EntryMeans) {
    this.#means = means;
  }

  async password(client: string, user: string, password: string): Promise<Entry> {
    const result = await this.#means.logins.login({ client, user, password, by: "web" });
    if (result.kind === "wrong") return { kind: "wrong", mayTryAgain: true };
    if (result.kind === "later") {
      return { kind: "later", seconds: Math.max(1, Math.ceil(result.retryAfter / 1000)) };
    }
    if (result.user.totp === undefined) return this.#in(result.user);
    const token = randomBytes(32).toString("base64url");
    const until = this.#means.clock.monotonic() + CODE_TIME * 1000;
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size >= WAITING_MAX) this.#waiting.delete(oldest ?? "");
    this.#waiting.set(token, { user: result.user, until, wrong: 0 });
    return { kind: "code", token };
  }

  /** "wrong" with an unknown token: the login must begin anew. */
  code(token: string, code: string): Entry {
    const waiting = this.#waiting.get(token);
    if (waiting === undefined || this.#means.clock.monotonic() >= waiting.until) {
      this.#waiting.delete(token);
      return { kind: "wrong", mayTryAgain: false };
    }
    const { user } = waiting;
    const result = this.#means.factors.judge(user.address, user.totp ?? "", code);
    if (result === "later") return { kind: "later", seconds: CODE_PAUSE };
    if (result === "right") {
      this.#waiting.delete(token);
      return this.#in(user);
    }
    waiting.wrong++;
    const mayTryAgain = waiting.wrong < WRONG_CODES_MAX;
    if (!mayTryAgain) this.#waiting.delete(token);
    return { kind: "wrong", mayTryAgain };
  }

  /** Whether a login waits for its code with this token. */
  awaitsCode(token: string): boolean {
    return this.#waiting.has(token);
  }

  #in(user: User): Entry {
    return { kind: "in", token: this.#means.sessions.begin(user), user };
  }
}
