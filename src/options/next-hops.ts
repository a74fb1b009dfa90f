// Next hops as a postmaster writes them: a smarthost, the inbound servers of a mailbox provider. For options of routers
// and transports. A name is looked up when it is used. An address is used directly.

import { isIP } from "node:net";
import { given } from "../base/given.ts";
import type { Host } from "../mail/host.ts";
import { parseDomain } from "../mail/address.ts";
import { list } from "./option-types.ts";
import type { Option } from "./option.ts";

/** "mx.example.net", "mx.example.net:587", "192.0.2.1:25", "[2001:db8::1]:25", or an address without a port. */
export function parseNextHop(written: string): Host | undefined {
  if (isIP(written) === 6) return { name: written, addresses: [written] };
  const [, bracketed, plain, digits] = SHAPE.exec(written) ?? [];
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && !(port > 0 && port < 65_536)) return undefined;
  const at = given({ port });
  const address = bracketed ?? plain ?? "";
  if (isIP(address) === (bracketed === undefined ? 4 : 6)) {
    return { name: address, addresses: [address], ...at };
  }
  const name = plain === undefined ? undefined : parseDomain(plain);
  return name === undefined ? undefined : { name, ...at };
}

/** "[v6]:port" or "host:port", both with an optional port. */
const SHAPE = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::(\d{1,5}))?$/;

/** At least one host, in the order in which they are tried. One text is a list of one. */
export function nextHops(doc: string): Option<readonly Host[]> {
  const written = list(doc, (item) =>
    parseNextHop(item) === undefined ? 'is no "host", "host:port" or "[v6]:port"' : undefined,
  );
  return {
    type: "list of next hops",
    doc,
    required: true,
    read(value, path, problems) {
      const hosts = written.read(value, path, problems)?.map(parseNextHop);
      if (hosts?.length === 0 && Array.isArray(value) && value.length === 0) {
        problems.push({ path, message: "names no host" });
      }
      return hosts?.filter((host) => host !== undefined);
    },
  };
}
