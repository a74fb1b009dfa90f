// The answer of the next host, for the client that still waits for its reply.
//
// Invariants:
// - The client gets one reply.
// - If the client is told of a refusal, the relay sends no bounce for it.
// - If the client was told "queued", or the hosts do not agree, the queue and its reports handle the rest.

import type { Clock, Timer } from "../../base/clock.ts";
import type { Finding } from "../../retry/clocks/finding.ts";
import { status, type Status } from "../../mail/status.ts";

/** Milliseconds that a client waits for a reply after its final dot. Clients wait for minutes (RFC 5321 4.5.3.2.6). */
const PATIENCE = 60_000;

const TEXT_MAX = 400;

export class AwaitedVerdict {
  /** The answer of the next host; undefined if the message is in the queue, with any outcome. */
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
   * Takes the findings of the attempt. True if the client will be told of a refusal. It waits for that until
   * `stored`: while the refusal is not in the spool, the message is still ours.
   */
  hears(findings: readonly Finding[]): boolean {
    if (!this.#isAwaited) return false;
    this.#verdict = verdictOf(findings);
    const isRefused = this.#verdict !== undefined && this.#verdict.code >= 500;
    if (isRefused) this.#timer.cancel();
    return isRefused;
  }

  /** The outcome is in the spool: the client gets its reply. */
  stored(): void {
    this.#end(this.#verdict);
  }

  /** The attempt is over, and no further result will come. */
  ended(): void {
    this.#onEnd();
    this.#end(undefined);
  }

  #end(verdict: Status | undefined): void {
    this.#timer.cancel();
    this.#tell(verdict);
  }
}

/** The common answer for all recipients; undefined without one. */
function verdictOf(findings: readonly Finding[]): Status | undefined {
  const outcomes = findings.filter(({ unseen }) => !unseen).map(({ outcome }) => outcome);
  const [first] = outcomes;
  if (first === undefined || first.kind === "deferred") return undefined;
  if (outcomes.some(({ kind }) => kind !== first.kind)) return undefined;
  const { code, enhanced, text } = first.status;
  return status(first.kind === "failed" ? code : 250, enhanced.slice(2), replyText(text));
}

/**
 * The text of a peer, shortened, with "?" for each character that a reply line may not contain (RFC 5321 4.2,
 * 4.5.3.1.5).
 */
function replyText(text: string): string {
  return text.slice(0, TEXT_MAX).replaceAll(/[^ -~]/g, "?");
}
