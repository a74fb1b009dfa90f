// The log events of one message under delivery, besides its outcomes.

import type { MessageId } from "../../src/mail/envelope.ts";
import { describeError, type Log } from "../../src/observe/log.ts";
import { isListed } from "../../src/tls/policy-text.ts";
import type { Conversation } from "../../src/smtp/client/client.ts";
import { saidLine, type Status } from "../../src/mail/status.ts";
import type { Target } from "./targets.ts";

export class DeliveryLog {
  readonly #log: Log;
  readonly #id: MessageId;

  constructor(log: Log, id: MessageId) {
    this.#log = log;
    this.#id = id;
  }

  /** Raises an alarm: mail waits until the postmaster has corrected the relay's access to the host. */
  shutOut({ label }: Target, { status: why, cause }: { status: Status; cause?: unknown }): void {
    const because = cause === undefined ? "" : ` (${describeError(cause)})`;
    const what = `${label} does not let this relay in: ${saidLine(why)}${because}`;
    this.#log.event("alarm", { id: this.#id, what });
  }

  /** Logs a violation of an MTA-STS policy in testing mode (RFC 8461 5). */
  testedPolicy(conversation: Conversation, { name: host, label, policy }: Target): void {
    const { testing } = policy;
    if (testing === undefined) return;
    const { domain } = testing;
    const error = isListed(host, testing)
      ? conversation.certificateProblem
      : "it is not in the policy";
    if (error !== undefined) this.#log.event("mta_sts.would_fail", { domain, host: label, error });
  }

  ownError(cause: unknown): void {
    const where = "smtp transport";
    this.#log.event("relay.error", { id: this.#id, where, error: describeError(cause) });
  }
}
