// The certificates that the listeners show, read from their files and judged as a sending host would judge them.

import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { duplexPair } from "node:stream";
import { connect, createSecureContext, TLSSocket } from "node:tls";
import { describeError } from "../../observe/log.ts";
import type { Configuration } from "../../config/configuration.ts";

export interface OwnCertificate {
  /** "listeners[0]" */
  readonly at: string;
  readonly file: string;
  readonly keyFile: string;
}

/** The certificates of all listeners, each pair of files once. */
export function ownCertificates({ listeners }: Pick<Configuration, "listeners">): OwnCertificate[] {
  const all = listeners.flatMap((listener, index) => {
    if (listener.tls === "none") return [];
    const pairs = [listener, ...listener.certificates];
    return pairs.flatMap(({ certificate: file, private_key: keyFile }) =>
      file === undefined || keyFile === undefined
        ? []
        : [{ at: `listeners[${index}]`, file, keyFile }],
    );
  });
  return [...new Map(all.map((pair) => [`${pair.file} ${pair.keyFile}`, pair])).values()];
}

export interface ReadCertificate {
  readonly leaf: X509Certificate;
  /** Why a host that trusts the public authorities does not trust it, dates and names aside; undefined if it does. */
  readonly distrust: string | undefined;
}

/** Rejects if the files cannot be read or used. */
export async function readCertificate({ file, keyFile }: OwnCertificate): Promise<ReadCertificate> {
  const [cert, key] = await Promise.all([readFile(file, "utf8"), readFile(keyFile, "utf8")]);
  return { leaf: new X509Certificate(cert), distrust: await distrustOf(cert, key) };
}

/** Problems that the dates say already. */
const DATES: ReadonlySet<string> = new Set(["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"]);

/** The result of a TLS handshake within this process: OpenSSL builds the chain as in a real one. */
function distrustOf(cert: string, key: string): Promise<string | undefined> {
  const [near, far] = duplexPair();
  const server = new TLSSocket(near, {
    isServer: true,
    secureContext: createSecureContext({ cert, key }),
  });
  const client = connect({
    socket: far,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  server.on("error", reject);
  client.on("error", reject);
  client.once("secureConnect", () => {
    const { authorized, authorizationError } = client;
    const problem = authorized ? undefined : String(authorizationError);
    resolve(problem === undefined || DATES.has(problem) ? undefined : problem);
  });
  return promise.finally(() => {
    client.destroy();
    server.destroy();
  });
}

/** The reason why a certificate cannot be read, in one clause. */
export function readingProblem(error: unknown): string {
  return error instanceof Error ? error.message : describeError(error);
}
