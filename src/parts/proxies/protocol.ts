// What the proxy knows of each protocol.

import type { ProxyOptions } from "./options.ts";
import type { Session } from "./session.ts";

export interface Protocol {
  /** The answer to a client above `connections_max`. */
  tooMany(hostname: string): string;
  /** Speaks with the client until it is logged in and joined to the server, or until the session is over. */
  serve(session: Session): Promise<void>;
}

/** Longest line of a client or a server before the login, in octets. SASL needs 12288 (RFC 4422, RFC 9051 7). */
export const LINE_MAX = 16 * 1024;
/** Most commands before the login. */
export const COMMANDS_MAX = 200;

/** The mechanisms that show the user, whom copies belong to. */
const READABLE = new Set(["PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"]);

/**
 * Whether a client may log in by this mechanism. Some are bound to the TLS connection or to a certificate, and end at the
 * proxy. With a transport, the mechanism must show the user.
 */
export function isPassable(mechanism: string, { transport }: ProxyOptions): boolean {
  const name = mechanism.toUpperCase();
  return transport === undefined ? !/^EXTERNAL$|-PLUS$/.test(name) : READABLE.has(name);
}

/** The first word of a line, in upper case, and the rest without the line end. */
export function commandOf(line: Buffer): { readonly verb: string; readonly rest: string } {
  const text = line.toString("latin1").replace(/\r?\n$/, "");
  const space = text.indexOf(" ");
  if (space === -1) return { verb: text.toUpperCase(), rest: "" };
  return { verb: text.slice(0, space).toUpperCase(), rest: text.slice(space + 1) };
}

/** Whether a user name or password can be sent on a line of its own. */
export function isOneLine(value: string): boolean {
  return !/[\r\n\0]/.test(value);
}

export type Protocols = Readonly<Record<ProxyOptions["protocol"], Protocol>>;
