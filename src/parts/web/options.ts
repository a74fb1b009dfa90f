// [web]: the pages on which people find their mail.

import { parseAddress } from "../../base/cidr.ts";
import { parseNetwork } from "../../base/cidr.ts";
import {
  duration,
  list,
  listenAddress,
  optional,
  options,
  parsedText,
  readPath,
  type Values,
  withCheck,
  withDefault,
} from "../../options/options.ts";

const declaredOptions = options({
  address: withDefault(
    listenAddress("The address and port of the pages. Without a certificate it must be loopback."),
    "127.0.0.1:8025",
  ),
  certificate: optional(
    readPath(
      "The certificate, followed by its chain, PEM. With it, the pages are served by HTTPS.",
    ),
  ),
  private_key: optional(readPath("The key of the certificate, PEM.")),
  url: optional(
    origin(
      "The address that users type. Cookies and the check against forged forms go by it. Needed if a proxy stands in front.",
    ),
    "that of `address`",
  ),
  trusted_proxies: withDefault(
    list("Addresses and networks of proxies whose X-Forwarded-For is believed.", (item) =>
      parseNetwork(item) === undefined ? "is no address and no network" : undefined,
    ),
    ["127.0.0.1"],
  ),
  session: withDefault(duration("The time after which a user must log in again."), "8h"),
});

export const webOptions = withCheck(declaredOptions, (given, report) => {
  const { address, certificate, private_key: key } = given;
  if ((certificate === undefined) !== (key === undefined)) {
    report(certificate === undefined ? "private_key" : "certificate", "needs the other of the two");
  } else if (certificate === undefined && !isLoopback(address.host)) {
    const what = `${address.written} is reachable from outside: passwords need HTTPS; set certificate and private_key, or let a proxy stand in front of 127.0.0.1`;
    report("address", what);
  }
});

export type WebOptions = Values<typeof webOptions>;

export function isLoopback(host: string): boolean {
  const address = parseAddress(host);
  if (address === undefined) return false;
  return address.family === 4 ? host.startsWith("127.") : host === "::1";
}

/** "https://mail.example.com", without a path. */
function origin(doc: string) {
  return parsedText(
    "URL",
    { doc, is: 'like "https://mail.example.com", without a path' },
    (written) => {
      const url = URL.parse(written);
      const isWeb = url?.protocol === "https:" || url?.protocol === "http:";
      if (url === null || !isWeb || url.username !== "" || url.password !== "") return undefined;
      return url.pathname === "/" && url.search === "" && url.hash === "" ? url.origin : undefined;
    },
  );
}
