// ipliteral: sends user@[192.0.2.1] and user@[IPv6:2001:db8::1] to that very address (RFC 5321 4.1.3). It is
// used only if routers.toml names it, and it does not make the gate wider. The gate has already decided whether the
// client may send such mail, and a literal is a domain of ours only if `local_domains` has it.
//
// Invariant: a stranger chose the address, so it passes `ignore_target_hosts`, and is never the relay's own.

import { options, transportName, type Values } from "../src/options/options.ts";
import { status, type Status } from "../src/mail/status.ts";
import type { RouterDriver } from "../src/contract/contract.ts";
import { createFilter, ignoreTargetHosts } from "./dnslookup.ts";

const ipliteralOptions = options({
  transport: transportName("The transport that delivers to this IP address."),
  ignore_target_hosts: ignoreTargetHosts,
});

/**
 * Decisions:
 * - accept: the domain is an address literal, with that address.
 * - decline: the domain is not an address literal.
 * - decline, with 550 5.4.4 if no other router takes it: `ignore_target_hosts` has the address.
 * - decline, with 550 5.1.1 if no other router takes it: the address is the relay's own.
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
          return { kind: "decline", why: `${domain} is not an address literal` };
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
