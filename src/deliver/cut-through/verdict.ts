// What the next host says of a message, for the client that is still waiting for its reply.
//
// Invariant: the client is told once. What it is told as a refusal is told to nobody else, so nothing bounces; when
// it has been told "queued" already, or the hosts do not agree, the queue and its reports do the rest.

import type { Clock, Timer } from "../../base/clock.ts";
import type { Finding } from "../../retry/finding.ts";
import { status, type Status } from "../../mail/status.ts";

/** How long a client is kept waiting behind its final dot, in ms. Clients wait for minutes (RFC 5321 4.5.3.2.6). */
const PATIENCE = 60_000;

const TEXT_MAX = 400;

export class AwaitedVerdict {
  /** What the next host said; undefined when the message is in the queue, whatever has become of it. */
  readonly told: Promise<Status | undefined>;
  readonly #tell: (verdict: Status | undefined) => void;
  readonly #onEnd: () => void;
  readonly #timer: Timer;
  #isAwaited = true;
  #verdict: Status | undefined;

  /** `onEnd` is called when the attempt is over. */
  constructor(clock: Clock, onEnd: () => void) {
    const { promise, resolve } = Promise.withResolvers<Status | undefined>();
    this.told = promise;
    this.#tell = resolve;
    this.#onEnd = onEnd;
    this.#timer = clock.after(PATIENCE, () => {
      this.#isAwaited = false;
      resolve(this.#verdict);
    });
  }

  /**
   * What has become of the message. True when the client is going to hear a refusal. It waits for that until `stored`: as
   * long as the refusal is not in the spool, the message is still ours.
   */
  hears(findings: readonly Finding[]): boolean {
    if (!this.#isAwaited) return false;
    this.#verdict = verdictOf(findings);
    const isRefused = this.#verdict !== undefined && this.#verdict.code >= 500;
    if (isRefused) this.#timer.cancel();
    return isRefused;
  }

  /** What has become of it is in the spool. */
  stored(): void {
    this.#end(this.#verdict);
  }

  /** The attempt is over, and nothing more becomes known. */
  ended(): void {
    this.#onEnd();
    this.#end(undefined);
  }

  #end(verdict: Status | undefined): void {
    this.#timer.cancel();
    this.#tell(verdict);
  }
}

/** One word for all recipients, if one will do for all. */
function verdictOf(findings: readonly Finding[]): Status | undefined {
  const outcomes = findings.filter(({ unseen }) => !unseen).map(({ outcome }) => outcome);
  const [first] = outcomes;
  if (first === undefined || first.kind === "deferred") return undefined;
  if (outcomes.some(({ kind }) => kind !== first.kind)) return undefined;
  const { code, enhanced, text } = first.status;
  return status(first.kind === "failed" ? code : 250, enhanced.slice(2), replyText(text));
}

/** Of a peer's words what may stand in a reply line to another one (RFC 5321 4.2, 4.5.3.1.5). */
function replyText(text: string): string {
  return text.slice(0, TEXT_MAX).replaceAll(/[^ -~]/g, "?");
}
