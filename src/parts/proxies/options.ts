// [[proxies]]: an address for mail programs, the server behind it, and where copies go.

import {
  flag,
  integer,
  list,
  listenAddress,
  marked,
  NAME,
  oneOf,
  optional,
  options,
  parsedText,
  path,
  readPath,
  tables,
  text,
  transportName,
  type Values,
  withCheck,
  withDefault,
} from "../../options/options.ts";
import { nextHops } from "../../options/next-hops.ts";
import { parseDomain } from "../../mail/address.ts";
import { checkPair, moreCertificates } from "../../smtp/server/listener-options.ts";
import { isAccountTemplate } from "./account.ts";

const TLS = ["none", "starttls", "implicit"] as const;

const declaredOptions = options({
  name: marked({ isUnique: true }, text("A name of your choice, for the log.", NAME)),
  protocol: oneOf("The protocol of the server.", ["imap", "pop3", "smtp"]),
  address: listenAddress(
    "The address and port that mail programs connect to. `[::]` is every address of both families.",
  ),
  tls: withDefault(
    oneOf(
      "TLS for mail programs: on their STARTTLS, from the first byte (`implicit`), or never. With `starttls` they can log in only after STARTTLS.",
      TLS,
    ),
    "none",
  ),
  certificate: optional(
    readPath("The certificate, followed by its chain, PEM. Needed unless `tls` is `none`."),
  ),
  private_key: optional(
    readPath("The key of the certificate, PEM. Needed unless `tls` is `none`."),
  ),
  certificates: withDefault(
    tables(
      "More certificates. If a client asks for a name that one of these is made for, the proxy shows that one.",
      moreCertificates,
    ),
    [],
  ),
  server: optional(
    nextHops(
      "The servers, tried in this order: names or addresses, with a port. The system resolves names.",
    ),
    "needed without `auth_http`",
  ),
  server_tls: withDefault(
    oneOf("TLS to the server: by STARTTLS, from the first byte (`implicit`), or never.", TLS),
    "none",
  ),
  server_verify: withDefault(
    flag("Require a certificate that is valid for the server's name."),
    true,
  ),
  account: withDefault(
    parsedText(
      "text",
      {
        doc: "The account of a login, with {user}, {user_local_part} and {user_domain}. It becomes lower case.",
        is: "a text in which {user}, {user_local_part} and {user_domain} are the only placeholders",
      },
      (written) => (isAccountTemplate(written) ? written : undefined),
    ),
    "{user}",
  ),
  default_domain: optional(
    parsedText(
      "domain",
      { doc: "The domain of logins without an `@`.", is: "a domain" },
      parseDomain,
    ),
  ),
  transport: optional(
    marked(
      { driver: "maildir-append" },
      transportName('The transport that writes copies, with `driver = "maildir-append"`.'),
    ),
    "no copies: a plain front",
  ),
  on_store_failure: withDefault(
    oneOf(
      "When a copy cannot be written: keep the message from the client (`refuse`), or let it pass with an event in the log (`pass`).",
      ["refuse", "pass"],
    ),
    "refuse",
  ),
  auth_http: optional(
    parsedText(
      "URL",
      {
        doc: "A hook that decides about each login and names the server, by the protocol of nginx.",
        is: 'a URL like "http://127.0.0.1:80/auth"',
      },
      hookUrl,
    ),
  ),
  capabilities: optional(
    list("What is announced before the login, instead of the server's own capabilities.", (item) =>
      /^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/.test(item) ? undefined : "must be printable ASCII",
    ),
    "what the server says, without what the proxy cannot pass on",
  ),
  state: optional(
    path("The directory in which the proxies remember what they kept."),
    "proxies in the spool directory",
  ),
  folders_excluded: withDefault(list("IMAP folders that are not kept, by name or special use."), [
    "\\Drafts",
  ]),
  connections_max: withDefault(integer("Most clients at the same time.", 1), 1000),
});

export type ProxyOptions = Values<typeof declaredOptions>;

export const proxyOptions = withCheck(declaredOptions, (proxy, report) => {
  const { tls, certificate, private_key: key, protocol } = proxy;
  if (proxy.server === undefined && proxy.auth_http === undefined) {
    report("server", "is missing (list of next hops), and there is no auth_http that names one");
  }
  if (proxy.transport !== undefined && protocol !== "pop3") {
    report("transport", `copies are kept for protocol = "pop3" only, not for "${protocol}"`);
  }
  if (tls === "none") return;
  const missing = `is missing (path): tls is "${tls}"`;
  if (certificate === undefined) report("certificate", missing);
  if (key === undefined) report("private_key", missing);
  if (certificate !== undefined && key !== undefined) checkPair(certificate, key, report);
});

function hookUrl(written: string): URL | undefined {
  const url = URL.parse(written);
  const isWeb = url?.protocol === "http:" || url?.protocol === "https:";
  return url !== null && isWeb && url.username === "" && url.password === "" ? url : undefined;
}

/** The ports of servers that are written without one. */
const PORTS = {
  imap: { clear: 143, implicit: 993 },
  pop3: { clear: 110, implicit: 995 },
  smtp: { clear: 587, implicit: 465 },
} as const;

export function defaultPort({ protocol, server_tls: tls }: ProxyOptions): number {
  return PORTS[protocol][tls === "implicit" ? "implicit" : "clear"];
}
