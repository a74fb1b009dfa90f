// Who is logged in. A session is known by a random token, which only the user's browser has.
//
// Invariants:
// - Only a hash of the token is in memory here.
// - A session ends after the configured time, at a logout, and when its user's password or second factor changes.
// - A user has at most 20 sessions, and there are at most 10,000. The oldest end first.

import { createHash, randomBytes } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { User } from "../../users/passwd-file.ts";

export interface Session {
  /** The address of the user. */
  readonly user: string;
  /** The password and second factor at the login, as the users file has them. */
  readonly credentials: string;
  readonly until: number;
  /** The reason of an auditor for looking at other people's mail, and the time at which it ends. */
  reason: { readonly text: string; readonly until: number } | undefined;
}

const SESSIONS_MAX = 10_000;
const SESSIONS_OF_USER_MAX = 20;
const REASON_TIME = 30 * 60_000;

export class Sessions {
  readonly #clock: Clock;
  readonly #duration: number;
  /** Keyed by the hash of the token, the oldest first. */
  readonly #sessions = new Map<string, Session>();

  /** `duration` in ms. */
  constructor(duration: number, clock: Clock) {
    this.#duration = duration;
    this.#clock = clock;
  }

  /** Returns the token. */
  begin(user: User): string {
    const own = [...this.#sessions].filter(([, session]) => session.user === user.address);
    const [first] = this.#sessions.keys();
    if (own.length >= SESSIONS_OF_USER_MAX) this.#sessions.delete(own[0]?.[0] ?? "");
    else if (this.#sessions.size >= SESSIONS_MAX) this.#sessions.delete(first ?? "");
    const token = randomBytes(32).toString("base64url");
    const until = this.#clock.monotonic() + this.#duration;
    const credentials = credentialsOf(user);
    this.#sessions.set(hashOf(token), {
      user: user.address,
      credentials,
      until,
      reason: undefined,
    });
    return token;
  }

  /** Undefined if there is none, or no more. */
  find(token: string): Session | undefined {
    const key = hashOf(token);
    const session = this.#sessions.get(key);
    if (session === undefined) return undefined;
    const now = this.#clock.monotonic();
    if (now >= session.until) {
      this.#sessions.delete(key);
      return undefined;
    }
    if (session.reason !== undefined && now >= session.reason.until) session.reason = undefined;
    return session;
  }

  /** The reason holds 30 minutes in this session. */
  giveReason(session: Session, text: string): void {
    session.reason = { text, until: this.#clock.monotonic() + REASON_TIME };
  }

  end(token: string): void {
    this.#sessions.delete(hashOf(token));
  }
}

/** What a session of this user rests on. If it changes, the session ends. */
export function credentialsOf({ password, totp = "" }: User): string {
  return `${password} ${totp}`;
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}
