// ipliteral: sends user@[192.0.2.1] and user@[IPv6:2001:db8::1] to that very address (RFC 5321 4.1.3). No
// configuration has it unless somebody writes it down, and it opens no gate: whether the client may send mail there at
// all has been decided by then, and a literal is no domain of ours unless `local_domains` holds it.
//
// Invariant: the address comes from the wire, so it passes `ignore_target_hosts`, and is never ourselves.

import { options, transportName, type Values } from "../src/options/options.ts";
import { status, type Status } from "../src/mail/status.ts";
import type { RouterDriver } from "../src/contract/contract.ts";
import { createFilter, ignoreTargetHosts } from "./dnslookup.ts";

const ipliteralOptions = options({
  transport: transportName("Delivers to the address."),
  ignore_target_hosts: ignoreTargetHosts,
});

/**
 * Decisions:
 * - accept: the domain is an address literal, with that address.
 * - decline: it is none.
 * - decline, with 550 5.4.4 if no other router takes it: `ignore_target_hosts` holds the address.
 * - decline, with 550 5.1.1 if no other router takes it: it is our own.
 */
export const ipliteral: RouterDriver<Values<typeof ipliteralOptions>> = {
  name: "ipliteral",
  options: ipliteralOptions,
  create({ transport, ignore_target_hosts: ignored }, services) {
    const filter = createFilter(ignored, services);
    return {
      route({ mailbox: { domain } }) {
        const address = /^\[(?:IPv6:)?([\d.a-f:]+)\]$/i.exec(domain)?.[1];
        if (address === undefined)
          return { kind: "decline", why: `${domain} is no address literal` };
        if (filter.isOurs(address)) {
          return { kind: "decline", status: NO_SUCH_USER, why: `${address} is our own` };
        }
        if (filter.isIgnored(address)) {
          return {
            kind: "decline",
            status: noTarget(domain),
            why: `ignore_target_hosts holds ${address}`,
          };
        }
        return { kind: "accept", transport, hosts: [{ name: address, addresses: [address] }] };
      },
    };
  },
};

const NO_SUCH_USER = status(550, "1.1", "No such user here");

function noTarget(domain: string): Status {
  return status(550, "4.4", `No mail can be sent to ${domain}`);
}
