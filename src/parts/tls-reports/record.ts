// Reads the TXT record at _smtp._tls.DOMAIN by which a domain asks for reports (RFC 8460 3).
//
// Invariant: a record that does not have the form of the RFC asks for no reports.

import type { Mailbox } from "../../mail/envelope.ts";
import { isAscii } from "../../mail/text.ts";
import { parseMailbox } from "../../mail/address.ts";

export type Destination =
  | { readonly kind: "mail"; readonly uri: string; readonly mailbox: Mailbox }
  | { readonly kind: "https"; readonly uri: string; readonly url: URL };

/** The limit for one record, so that a stranger's record cannot make the relay write to many hosts. */
const DESTINATIONS_MAX = 4;
const LONGEST_URI = 1000;

/** The destinations of reports; undefined if the domain asks for none. Unknown kinds of destinations are left out. */
export function destinationsOf(texts: readonly string[]): readonly Destination[] | undefined {
  const [record, ...others] = texts.filter((text) => /^v=TLSRPTv1[ \t]*;/.test(text));
  if (record === undefined || others.length > 0) return undefined;
  const fields = record.split(";").map((field) => field.trim());
  const rua = fields.find((field) => field.startsWith("rua="))?.slice(4);
  if (rua === undefined) return undefined;
  const uris = new Set(rua.split(",").map((uri) => uri.trim()));
  return [...uris].flatMap((uri) => destination(uri) ?? []).slice(0, DESTINATIONS_MAX);
}

function destination(uri: string): Destination | undefined {
  const url = uri.length > LONGEST_URI ? null : URL.parse(uri);
  if (url?.protocol === "mailto:") {
    const mailbox = mailboxOf(url.pathname);
    return mailbox && { kind: "mail", uri, mailbox };
  }
  const isPlain = url?.protocol === "https:" && url.username === "" && url.password === "";
  return isPlain ? { kind: "https", uri, url } : undefined;
}

/** One address, in ASCII, because reports are sent as ordinary mail. */
function mailboxOf(encoded: string): Mailbox | undefined {
  try {
    const address = decodeURIComponent(encoded);
    return isAscii(address) ? parseMailbox(address) : undefined;
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
