// [[listeners]]: an address, its protocol, and the certificate that is shown there.
// A certificate that cannot be used is reported when the file is checked, before any client says STARTTLS.

import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { cannotRead } from "../../base/file-errors.ts";
import { hostList } from "../../options/list-types.ts";
import {
  oneOf,
  optional,
  options,
  listenAddress,
  readPath,
  tables,
  marked,
} from "../../options/options.ts";
import { withCheck, withDefault } from "../../options/options.ts";
import type { Values } from "../../options/options.ts";

const address = listenAddress(
  "The address and port to listen on. `[::]` is every address of both families.",
);

const certificate = readPath("The certificate, followed by its chain, PEM.");
const privateKey = readPath("The key of the certificate, PEM.");

/** Further certificates of one listener. */
export const moreCertificates = withCheck(
  options({ certificate, private_key: privateKey }),
  ({ certificate: cert, private_key: key }, report) => checkPair(cert, key, report),
);

const declaredOptions = options({
  address,
  protocol: withDefault(
    oneOf(
      "Mail from other hosts (`smtp`), or from the mail programs of users that log in (`submission`).",
      ["smtp", "submission"],
    ),
    "smtp",
  ),
  tls: withDefault(
    oneOf("TLS on the client's STARTTLS, from the first byte (`implicit`), or never.", [
      "none",
      "starttls",
      "implicit",
    ]),
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
      "More certificates. If a client asks for a name that one of these is made for, the listener shows that one.",
      moreCertificates,
    ),
    [],
  ),
  client_certificates: marked(
    { certificates: "asked" },
    optional(
      oneOf(
        "Ask each client for its certificate, for `client_certificates` of a relay rule. A client without a certificate is served as well.",
        ["request"],
      ),
      "no client is asked",
    ),
  ),
  proxy_hosts: marked(
    { grants: "relay" },
    optional(
      hostList(
        "Load balancers that name the real client by the PROXY protocol, version 1 or 2. The relay requires a PROXY header from these hosts and trusts it. From other hosts a PROXY header is not accepted.",
      ),
      "none",
    ),
  ),
});

export type ListenerOptions = Values<typeof declaredOptions>;

type Report = (key: string, message: string) => void;

export const listenerOptions = withCheck(declaredOptions, (listener, report) => {
  const { tls, certificate: cert, private_key: key } = listener;
  if (listener.protocol === "submission") checkSubmission(listener, report);
  if (tls === "none" && listener.client_certificates === "request") {
    report("client_certificates", 'is "request", and tls is "none"');
  }
  if (tls === "none") return;
  const missing = `is missing (path): tls is "${tls}"`;
  if (cert === undefined) report("certificate", missing);
  if (key === undefined) report("private_key", missing);
  if (cert !== undefined && key !== undefined) checkPair(cert, key, report);
});

/** Passwords must not cross a network in clear text. */
function checkSubmission(
  { tls, address: { host }, client_certificates: asked }: ListenerOptions,
  report: Report,
): void {
  if (tls === "none" && !isLoopback(host)) {
    report(
      "tls",
      'is "none": users would send passwords in clear text; write "implicit" or "starttls"',
    );
  }
  if (asked !== undefined) report("client_certificates", 'is for protocol = "smtp" only');
}

function isLoopback(host: string): boolean {
  return host === "::1" || host.startsWith("127.");
}

/** Reports a certificate that cannot be used. */
export function checkPair(certificateFile: string, keyFile: string, report: Report): void {
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
