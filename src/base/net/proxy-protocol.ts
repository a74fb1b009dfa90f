// The PROXY protocol, versions 1 and 2: before anything else, a load balancer in front of the relay names the client
// that it speaks for. The header is read only from hosts that are listed for it, because a host that is believed can
// claim any address.
//
// Invariant: the header comes first, complete and within its time, or the connection is closed. A header without a
// client's address (UNKNOWN, UNSPEC, a Unix socket) is refused: the address in it must never count as a client's.

import type { Socket } from "node:net";
import { parseAddress } from "../cidr.ts";

export type ProxyHeader =
  | { readonly kind: "more" }
  | { readonly kind: "bad"; readonly why: string }
  /** `client` is absent when the balancer speaks for itself, as in a health check. */
  | { readonly kind: "whole"; readonly length: number; readonly client?: string };

const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const V1_START = Buffer.from("PROXY ");
const V1_LENGTH_MAX = 107;
/** Octets. A header may carry more than addresses: certificates, the balancer's own names. */
const V2_LENGTH_MAX = 4096;

export function parseProxyHeader(input: Buffer): ProxyHeader {
  if (startsWith(input, SIGNATURE)) return input.length < 16 ? { kind: "more" } : parseV2(input);
  if (startsWith(input, V1_START)) return parseV1(input);
  return bad("no header");
}

/** Also true when `input` is a beginning of `start`. */
function startsWith(input: Buffer, start: Buffer): boolean {
  const length = Math.min(input.length, start.length);
  return input.subarray(0, length).equals(start.subarray(0, length));
}

function parseV1(input: Buffer): ProxyHeader {
  const end = input.indexOf("\r\n");
  if (end < 0) return input.length < V1_LENGTH_MAX ? { kind: "more" } : bad("a line without end");
  const line = input.toString("latin1", 0, end);
  const [, family, from = "", to = "", ...ports] =
    /^PROXY TCP([46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) (\d{1,5}) (\d{1,5})$/.exec(line) ?? [];
  const [client, here] = [from, to].map((written) =>
    written.includes(":") === (family === "6") ? canonical(written) : undefined,
  );
  const isWhole = here !== undefined && ports.every((port) => Number(port) < 65_536);
  if (end + 2 > V1_LENGTH_MAX || client === undefined || !isWhole)
    return bad(`no client in ${JSON.stringify(line)}`);
  return { kind: "whole", length: end + 2, client };
}

function parseV2(input: Buffer): ProxyHeader {
  const [command, family] = [input[12], input[13]];
  const length = 16 + input.readUInt16BE(14);
  if (length > V2_LENGTH_MAX) return bad("too long");
  if (input.length < length) return { kind: "more" };
  if (command === 0x20) return { kind: "whole", length };
  if (command !== 0x21) return bad("unknown command");
  const addresses = input.subarray(16, length);
  if (family === 0x11 && addresses.length >= 12) {
    return { kind: "whole", length, client: addresses.subarray(0, 4).join(".") };
  }
  if (family === 0x21 && addresses.length >= 36) {
    const groups = addresses.toString("hex", 0, 16).match(/.{4}/g) ?? [];
    const client = canonical(groups.join(":"));
    if (client !== undefined) return { kind: "whole", length, client };
  }
  return bad("no client");
}

/** The address as the kernel would write it, with mapped IPv4 unmapped. So each client has one spelling. */
function canonical(text: string): string | undefined {
  const address = parseAddress(text);
  if (address === undefined) return undefined;
  if (address.family === 6) return new URL(`http://[${text}]`).hostname.slice(1, -1);
  const value = Number(address.value);
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
}

function bad(why: string): ProxyHeader {
  return { kind: "bad", why };
}

/** Reads the header and leaves what follows in the socket. `done` is called once, unless the socket closes first. */
export function readProxyHeader(
  socket: Socket,
  done: (header: Exclude<ProxyHeader, { kind: "more" }>) => void,
): void {
  let input = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    input = Buffer.concat([input, chunk]);
    const header = parseProxyHeader(input);
    if (header.kind === "more") return;
    socket.off("data", onData);
    socket.pause();
    if (header.kind === "whole" && input.length > header.length) {
      socket.unshift(input.subarray(header.length));
    }
    done(header);
  };
  socket.on("data", onData);
  socket.on("end", () => socket.end());
}
