// The mailbox that lists for the postmaster are sent to.

import { parseMailbox } from "../mail/address.ts";
import type { Mailbox } from "../mail/envelope.ts";
import type { Configuration } from "./configuration.ts";
import { firstLocalDomain } from "./first-local-domain.ts";

/** [relay] postmaster. Without it, the postmaster of the first local domain. */
export function postmasterOf(configuration: Configuration): Mailbox {
  const { postmaster, hostname } = configuration.relay;
  const domain = firstLocalDomain(configuration) ?? hostname;
  const mailbox = postmaster ?? parseMailbox(`postmaster@${domain}`);
  if (mailbox === undefined) throw new Error(`postmaster@${domain} is no address`);
  return mailbox;
}
