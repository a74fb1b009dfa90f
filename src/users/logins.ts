// Judges logins by the users file, for submission and every other way to log in. A relay has one of it, so wrong
// passwords count together, whatever the protocol. Other processes ask it over a socket: see shared-logins.ts.
//
// Invariants:
// - The client hears the same, and waits as long, whether the user or the password is wrong.
// - Wrong passwords are slowed down; see wrong-passwords.ts. A right one is accepted when its turn comes.
// - An unreadable file refuses no login for good.

import { stat } from "node:fs/promises";
import type { Clock } from "../base/clock.ts";
import { errorCode } from "../base/error-code.ts";
import { readNamedFile } from "../base/named-file.ts";
import { describeError, type Log } from "../observe/log.ts";
import { NO_PASSWORD, parseArgon2 } from "./argon2.ts";
import { Argon2Thread } from "./argon2-thread.ts";
import { LoginTurns } from "./login-turns.ts";
import { PasswdFile, type User } from "./passwd-file.ts";
import { WrongPasswords } from "./wrong-passwords.ts";

export interface LoginRequest {
  /** The address of the client. */
  readonly client: string;
  /** The name as the client gave it: an address in any case. */
  readonly user: string;
  readonly password: string;
  /** The protocol, for the log. */
  readonly by: "submission" | "web";
}

export type LoginResult =
  | { readonly kind: "right"; readonly user: User }
  | { readonly kind: "wrong" }
  /** Nothing was judged. The client may come again after these ms. */
  | { readonly kind: "later"; readonly retryAfter: number };

export interface LoginMeans {
  readonly clock: Clock;
  readonly log: Log;
}

/** Octets of the longest name and password that are judged. */
const NAME_MAX = 254;
const PASSWORD_MAX = 1024;
/** Pairs of client and user that have logged in, which are remembered. */
const KNOWN_MAX = 5000;
/** Milliseconds after which a client may come again while the users file cannot be read. */
const UNREADABLE_PAUSE = 5000;
/** Milliseconds between two looks at the users file. */
const FRESH = 500;

const SCHEME = /^\{(?:ARGON2ID|ARGON2I|ARGON2)\}/i;

export class Logins {
  readonly #means: LoginMeans;
  readonly #turns = new LoginTurns();
  readonly #thread = new Argon2Thread();
  readonly #wrong: WrongPasswords;
  readonly #known = new Set<string>();
  #file: string | undefined;
  #users: { readonly stamp: string; readonly file: PasswdFile; readonly at: number } | undefined;

  /** Nothing is judged before `follow`. */
  constructor(means: LoginMeans) {
    this.#means = means;
    this.#wrong = new WrongPasswords(means.clock);
  }

  /** Reads the users from this file from now on. */
  follow(file: string): void {
    if (file !== this.#file) this.#users = undefined;
    this.#file = file;
  }

  /** Never rejects. */
  async login(request: LoginRequest): Promise<LoginResult> {
    const { clock, log } = this.#means;
    const name = request.user.toLowerCase();
    const shown = { user: request.user.slice(0, NAME_MAX), client: request.client, by: request.by };
    const wrong = (why: string): LoginResult => {
      log.event("login.failed", { ...shown, why });
      return { kind: "wrong" };
    };
    if (Buffer.byteLength(name) > NAME_MAX) return wrong("the name is too long");
    const later = (milliseconds: number): LoginResult => {
      log.event("login.put_off", { ...shown, retry_after_s: Math.ceil(milliseconds / 1000) });
      return { kind: "later", retryAfter: milliseconds };
    };
    const turn = this.#wrong.take(request.client, name);
    if ("retryAfter" in turn) return later(turn.retryAfter);
    if (turn.wait > 0) await new Promise<void>((then) => void clock.after(turn.wait, then));
    const pair = `${request.client} ${name}`;
    const standing = this.#known.has(pair) ? "known" : turn.isClean ? "clean" : "suspect";
    const judged = await this.#turns.take(standing, () => this.#judge(name, request.password));
    const isJudged = judged !== undefined && judged.kind !== "unknown";
    turn.settle(isJudged ? judged.kind : "unjudged");
    if (judged === undefined) return later(5000);
    if (judged.kind === "unknown") {
      log.event("relay.error", { where: `login of ${shown.user}`, error: judged.why });
      return { kind: "later", retryAfter: UNREADABLE_PAUSE };
    }
    if (judged.kind === "wrong") return wrong(judged.why);
    this.#remember(pair);
    log.event("login.accepted", shown);
    return judged;
  }

  /** The user, in any case, as the file is now; undefined if there is none. Rejects if the file cannot be read. */
  async find(name: string): Promise<User | undefined> {
    return (await this.#read()).find(name);
  }

  /** Like `find`, after a change of the file. */
  findNow(name: string): Promise<User | undefined> {
    this.#users = undefined;
    return this.find(name);
  }

  async #judge(name: string, password: string): Promise<Judged> {
    try {
      return await this.#judgeBy((await this.#read()).find(name), password);
    } catch (error) {
      return { kind: "unknown", why: describeError(error) };
    }
  }

  async #judgeBy(user: User | undefined, password: string): Promise<Judged> {
    const isTooLong = Buffer.byteLength(password) > PASSWORD_MAX;
    const written = user?.password ?? "";
    const [scheme = ""] = SCHEME.exec(written) ?? [];
    const hash = scheme === "" ? undefined : parseArgon2(written.slice(scheme.length));
    const isRight = await this.#thread.isOf(hash ?? NO_PASSWORD, isTooLong ? "" : password);
    if (user === undefined) return { kind: "wrong", why: "no such user" };
    if (hash === undefined) return { kind: "wrong", why: "the users file has no Argon2 hash" };
    if (!isRight || isTooLong) return { kind: "wrong", why: "wrong password" };
    return { kind: "right", user };
  }

  async #read(): Promise<PasswdFile> {
    const now = this.#means.clock.monotonic();
    if (this.#users !== undefined && now - this.#users.at < FRESH) return this.#users.file;
    const path = this.#file;
    if (path === undefined) throw new Error("the users file is not yet known");
    const stamp = await stampOf(path);
    const file =
      stamp === this.#users?.stamp
        ? this.#users.file
        : new PasswdFile(stamp === "" ? Buffer.alloc(0) : (await readNamedFile(path)).bytes);
    if (path === this.#file) this.#users = { stamp, file, at: now };
    return file;
  }

  #remember(pair: string): void {
    this.#known.delete(pair);
    this.#known.add(pair);
    const [oldest] = this.#known;
    if (this.#known.size > KNOWN_MAX && oldest !== undefined) this.#known.delete(oldest);
  }
}

type Judged =
  | { readonly kind: "right"; readonly user: User }
  | { readonly kind: "wrong"; readonly why: string }
  | { readonly kind: "unknown"; readonly why: string };

/** The state of the file; "" if there is none. */
async function stampOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(path);
    return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return "";
    throw error;
  }
}
