// The second factor: six digits of the user's own device, which change every 30 seconds (TOTP, RFC 6238). This is the
// only module that knows otpauth.
//
// Invariants:
// - Each code is accepted once.
// - From the sixth wrong code of a user on, one code in 30 seconds is judged. Only those who know the password can
//   try one, so strangers cannot put a user off.

import { Secret, TOTP } from "otpauth";
import type { Clock } from "../../base/clock.ts";

const STEP = 30_000;
/** Steps before and after the present one that a clock may be wrong by. */
const WINDOW = 1;
const FREE = 5;
const USERS_MAX = 10_000;

interface Tried {
  /** Wrong codes since the last right one. */
  wrong: number;
  /** The time of the last judgement. */
  at: number;
  /** The step of the last code that was accepted. */
  step: number;
}

export type CodeResult = "right" | "wrong" | "later";

export class SecondFactors {
  readonly #clock: Clock;
  /** Keyed by the address of the user, the least recently used first. */
  readonly #tried = new Map<string, Tried>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `secret` in base32. */
  judge(user: string, secret: string, code: string): CodeResult {
    const now = this.#clock.monotonic();
    const tried = this.#of(user);
    if (tried.wrong >= FREE && now - tried.at < STEP) return "later";
    tried.at = now;
    const step = stepOf(secret, code, this.#clock.now());
    if (step === undefined || step <= tried.step) {
      tried.wrong++;
      return "wrong";
    }
    tried.step = step;
    tried.wrong = 0;
    return "right";
  }

  #of(user: string): Tried {
    const tried = this.#tried.get(user) ?? { wrong: 0, at: -STEP, step: 0 };
    this.#tried.delete(user);
    this.#tried.set(user, tried);
    const [oldest] = this.#tried.keys();
    if (this.#tried.size > USERS_MAX && oldest !== undefined) this.#tried.delete(oldest);
    return tried;
  }
}

/** A new secret in base32, and its address for the user's device. */
export function newSecret(
  user: string,
  issuer: string,
): { readonly secret: string; readonly address: string } {
  const totp = new TOTP({ issuer, label: user, secret: new Secret({ size: 20 }) });
  return { secret: totp.secret.base32, address: totp.toString() };
}

/** Whether the code belongs to a secret that is not in force yet. */
export function isCodeOf(secret: string, code: string, now: number): boolean {
  return stepOf(secret, code, now) !== undefined;
}

/** The step that the code belongs to. */
function stepOf(secret: string, code: string, now: number): number | undefined {
  const token = code.replaceAll(/\s/g, "");
  if (!/^\d{6}$/.test(token)) return undefined;
  const totp = new TOTP({ secret: Secret.fromBase32(secret) });
  const delta = totp.validate({ token, timestamp: now, window: WINDOW });
  return delta === null ? undefined : Math.floor(now / STEP) + delta;
}
