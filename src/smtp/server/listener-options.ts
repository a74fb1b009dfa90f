// [[listeners]]: an address, and the certificate that is shown there.
// A certificate that cannot be used is found when the file is checked, not when the first client says STARTTLS.

import { readFileSync } from "node:fs";
import { isIPv4, isIPv6 } from "node:net";
import { createSecureContext } from "node:tls";
import { cannotRead } from "../../base/cannot-read.ts";
import { hostList } from "../../options/list-kinds.ts";
import {
  oneOf,
  optional,
  options,
  parsedText,
  path,
  tables,
  marked,
} from "../../options/options.ts";
import { withCheck, withDefault } from "../../options/options.ts";
import type { Values } from "../../options/options.ts";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  readonly written: string;
}

/** "192.0.2.1:25", "[::]:25". Port 0 is any free one. */
export function parseListenAddress(written: string): ListenAddress | undefined {
  const [, v6, v4, digits] = /^(?:\[([^\]]+)\]|([\d.]+)):(\d{1,5})$/.exec(written) ?? [];
  const port = Number(digits);
  if (!(port < 65_536)) return undefined;
  if (v6 !== undefined) return isIPv6(v6) ? { host: v6, port, written } : undefined;
  return v4 !== undefined && isIPv4(v4) ? { host: v4, port, written } : undefined;
}

const address = marked(
  { isBound: true },
  parsedText(
    "address:port",
    {
      doc: "The address and port to listen on. `[::]` is every address of both families.",
      is: 'an address with a port, like "0.0.0.0:25" or "[::]:25"',
    },
    parseListenAddress,
  ),
);

const certificate = path("The certificate and the chain behind it, PEM.");
const privateKey = path("The key of the certificate, PEM.");

const moreCertificates = withCheck(
  options({ certificate, private_key: privateKey }),
  ({ certificate: cert, private_key: key }, report) => checkPair(cert, key, report),
);

const declaredOptions = options({
  address,
  tls: withDefault(
    oneOf("TLS when the client asks for it by STARTTLS, from the first byte, or never.", [
      "none",
      "starttls",
      "implicit",
    ]),
    "none",
  ),
  certificate: optional(
    path("The certificate and the chain behind it, PEM. Needed unless `tls` is `none`."),
  ),
  private_key: optional(path("The key of the certificate, PEM. Needed unless `tls` is `none`.")),
  certificates: withDefault(
    tables(
      "More certificates: a client that asks for one of the names in one of them is shown that one.",
      moreCertificates,
    ),
    [],
  ),
  client_certificates: marked(
    { certificates: "asked" },
    optional(
      oneOf(
        "Ask clients for a certificate of theirs, for `client_certificates` of a relay rule. Who has none is served all the same.",
        ["request"],
      ),
      "nobody is asked",
    ),
  ),
  proxy_hosts: marked(
    { grants: "relay" },
    optional(
      hostList(
        "Load balancers that say by the PROXY protocol, version 1 or 2, whom they speak for. They must, and they are believed. What comes from other hosts is not read so.",
      ),
      "none",
    ),
  ),
});

export type ListenerOptions = Values<typeof declaredOptions>;

type Report = (key: string, message: string) => void;

export const listenerOptions = withCheck(declaredOptions, (listener, report) => {
  const { tls, certificate: cert, private_key: key } = listener;
  if (tls === "none" && listener.client_certificates === "request") {
    report("client_certificates", 'is "request", and tls is "none"');
  }
  if (tls === "none") return;
  const missing = `is missing (path): tls is "${tls}"`;
  if (cert === undefined) report("certificate", missing);
  if (key === undefined) report("private_key", missing);
  if (cert !== undefined && key !== undefined) checkPair(cert, key, report);
});

function checkPair(certificateFile: string, keyFile: string, report: Report): void {
  const cert = contents("certificate", certificateFile, report);
  const key = contents("private_key", keyFile, report);
  if (cert === undefined || key === undefined) return;
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    report("certificate", `does not work with this private_key: ${reason}`);
  }
}

function contents(option: string, file: string, report: Report): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch (error) {
    report(option, cannotRead(file, error));
    return undefined;
  }
}
