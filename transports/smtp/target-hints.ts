// The hints about the hosts of one batch, read and recorded by target.
//
// Invariant: with an order to try now (`force`), only a hint that was recorded since the attempt began counts.

import { given } from "../../src/base/given.ts";
import type { Batch, HostFailure, Hints, Outcome, Recipient } from "../../src/contract/contract.ts";
import type { Status } from "../../src/mail/status.ts";
import type { RetryError } from "../../src/mail/host.ts";
import { withRecipientHint } from "./recipient-hints.ts";
import type { TransportContext } from "./context.ts";
import type { PutOff } from "./reasons.ts";
import type { Target } from "./targets.ts";

type Hint = ReturnType<Hints["blocked"]>;

/** The failure of a host. */
interface Failure {
  readonly status: Status;
  readonly error?: RetryError | undefined;
}

export class TargetHints {
  readonly #context: Pick<TransportContext, "options" | "services" | "pool">;
  readonly #batch: Batch;

  constructor(context: Pick<TransportContext, "options" | "services" | "pool">, batch: Batch) {
    this.#context = context;
    this.#batch = batch;
  }

  /** Returns the hint while the host's retry time has not come. */
  blocked(target: Target): Hint {
    if (this.#batch.force) return undefined;
    return this.#hints.blocked(this.#keyOf(target), this.#batch.envelope.id);
  }

  /** Returns the hint even with `force`, for the case that another delivery has just found that the host fails. */
  foundOut(target: Target): Hint {
    return this.#hints.blocked(this.#keyOf(target));
  }

  isInDoubt(target: Target): boolean {
    return !this.#batch.force && this.#hints.isInDoubt(this.#keyOf(target));
  }

  /** The host failed. Other deliveries leave it alone until its retry time, which is returned. */
  failed(target: Target, failure: Failure): PutOff {
    const notBefore = this.#hints.failed(this.#keyOf(target), this.#failureOf(target, failure));
    return this.waitFor(target, notBefore);
  }

  /** The host ended the connection during this message. */
  closedUnder(target: Target, failure: Failure, isSilent: boolean): void {
    const under = { message: this.#batch.envelope.id, isSilent };
    this.#hints.closedUnder(this.#keyOf(target), this.#failureOf(target, failure), under);
  }

  succeeded(target: Target): void {
    this.#hints.succeeded(this.#keyOf(target), this.#context.pool.vacancies(target));
  }

  /** Returns the outcome of `recipient` at this host, with its effect on other mail for the recipient. */
  learnt(target: Target, recipient: Recipient, outcome: Outcome): Outcome {
    const failureOf = (status: Status) => this.#failureOf(target, { status });
    return withRecipientHint(this.#hints, recipient, outcome, failureOf);
  }

  waitFor(target: Target, notBefore: number): PutOff {
    const waitsFor = { key: this.#keyOf(target), host: target.name };
    return { notBefore: Math.ceil(notBefore), waitsFor };
  }

  get #hints() {
    return this.#context.services.hints;
  }

  /**
   * Returns the key of the target's hint. Mail that insists on TLS and transports that log in have keys of their own,
   * because a host may fail for them and work for other mail.
   */
  #keyOf({ label, policy }: Target): string {
    const user = this.#context.options.credentials?.user;
    return label + policy.hint + (user === undefined ? "" : ` as ${user}`);
  }

  #failureOf({ name: host }: Target, { status, error }: Failure): HostFailure {
    const [first] = this.#batch.recipients;
    const domain = first?.mailbox.domain ?? host;
    return { host, domain, status, ...given({ error }) };
  }
}
