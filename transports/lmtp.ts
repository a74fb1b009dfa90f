// lmtp: delivers into mailboxes over LMTP (RFC 2033), through a Unix socket of this machine or to hosts. It is the smtp
// transport with LHLO as its greeting, and with an answer for each recipient after the message.

import { nextHops } from "../src/options/next-hops.ts";
import {
  integer,
  optional,
  options,
  path,
  type Values,
  withCheck,
  withDefault,
} from "../src/options/options.ts";
import type { Batch, Outcome, Recipient, TransportDriver } from "../src/contract/contract.ts";
import type { RecipientId } from "../src/mail/envelope.ts";
import { deliverBatch } from "./smtp/delivery.ts";
import { type TransportContext, contextOf, reachHost, tlsRuleOf } from "./smtp/context.ts";
import { connectionFields, HOST_FORMS, transferFields } from "./smtp/options.ts";

const declaredOptions = options({
  socket: optional(path("The Unix socket of a server on this machine, used instead of hosts.")),
  hosts: optional(
    nextHops(`Hosts to try, in this order, if the router names none: ${HOST_FORMS}.`),
    "the hosts that the router found",
  ),
  port: withDefault(integer("Port of hosts that are written without a port.", 1, 65_535), 24),
  ...connectionFields,
  ...transferFields,
});

type LmtpOptions = Values<typeof declaredOptions>;

const lmtpOptions = withCheck(declaredOptions, ({ socket, hosts }, report) => {
  if (socket !== undefined && hosts !== undefined) report("hosts", "cannot be used with socket");
});

/**
 * Outcomes, for each recipient: those of the smtp transport, and:
 * - delivered: the server answered 2xx for this recipient after the message. It is in the mailbox.
 * - failed: 5xx, to its RCPT or for it after the message; or 5xx to MAIL or DATA.
 * - deferred, recipient: 4xx, to its RCPT or for it after the message.
 * - deferred, message: the connection was lost before the answer for this recipient.
 */
export const lmtp: TransportDriver<LmtpOptions> = {
  name: "lmtp",
  options: lmtpOptions,
  create(settings, services) {
    const { socket, hosts } = settings;
    const context = contextOf(
      {
        ...settings,
        protocol: "lmtp",
        fallback_hosts: undefined,
        credentials: undefined,
        dane: false,
        mta_sts: false,
        eight_bit: "pass",
        rate: undefined,
        recipient_rate: undefined,
        tls: socket === undefined ? settings.tls : "none",
      },
      services,
    );
    return {
      // As in Exim: deliveries on this machine come before remote ones.
      locality: socket === undefined ? "remote" : "local",
      ...(socket === undefined
        ? { hosts: hosts ?? [] }
        : { ownDeadlines: true, destination: () => socket }),
      batchKey: () => "",
      deliver: (batch, signal) => deliverOnce(context, batch, signal),
      reach: (host, signal) => reachHost(context, host, signal),
      tlsRule: (host) => tlsRuleOf(context, host),
      close: () => context.pool.close(),
    };
  },
};

/** Delivers one message for each address: two recipients with the same address are one mailbox. */
async function deliverOnce(
  context: TransportContext,
  batch: Batch,
  signal: AbortSignal,
): Promise<ReadonlyMap<RecipientId, Outcome>> {
  const mailboxes = new Map<string, Recipient>();
  for (const recipient of batch.recipients) {
    const { address } = recipient.mailbox;
    if (!mailboxes.has(address)) mailboxes.set(address, recipient);
  }
  const recipients = [...mailboxes.values()];
  const known = await deliverBatch(context, { ...batch, recipients }, signal);
  const outcomes = new Map<RecipientId, Outcome>();
  for (const { id, mailbox } of batch.recipients) {
    const outcome = known.get(mailboxes.get(mailbox.address)?.id ?? id);
    if (outcome !== undefined) outcomes.set(id, outcome);
  }
  return outcomes;
}
