// Certificates made for one test by openssl: a root authority, authorities under it, and the certificates that they
// issue.

import { execFileSync } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Certified {
  /** PEM: the certificate, then those of its authorities without the root. */
  readonly chain: string;
  readonly certificate: X509Certificate;
  /** PEM. */
  readonly key: string;
}

export interface CertificateWishes {
  readonly names?: readonly string[];
  /** The certificate may issue others. */
  readonly authority?: boolean;
  /** Days from now until it expires; below 0 it has expired. */
  readonly days?: number;
}

export class Authority implements Disposable {
  readonly certificate: X509Certificate;
  readonly #directory: string;
  #serial = 0;

  /** Creates the self-signed root. */
  constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), "unseen-authority-"));
    this.#openssl(`req -x509 ${NEW_KEY} -subj /CN=root -days 30 -keyout root.key -out root.pem`);
    this.certificate = new X509Certificate(this.#read("root.pem"));
  }

  /** Issues a certificate, signed by `by` or by the root. */
  issue(
    { names = [], authority = false, days = 30 }: CertificateWishes,
    by?: Certified,
  ): Certified {
    const serial = ++this.#serial;
    const extensions = [`basicConstraints=CA:${authority ? "TRUE" : "FALSE"}`];
    if (names.length > 0) {
      extensions.push(`subjectAltName=${names.map((name) => `DNS:${name}`).join(",")}`);
    }
    this.#write("extensions", extensions.join("\n"));
    this.#write("issuer.pem", by?.certificate.toString() ?? this.#read("root.pem"));
    this.#write("issuer.key", by?.key ?? this.#read("root.key"));
    this.#openssl(`req ${NEW_KEY} -subj /CN=test-${serial} -keyout own.key -out request`);
    const issuer = `-CA issuer.pem -CAkey issuer.key -set_serial ${serial} -days ${days}`;
    this.#openssl(`x509 -req -in request ${issuer} -extfile extensions -out own.pem`);
    const own = this.#read("own.pem");
    const chain = own + (by?.chain ?? "");
    return { chain, certificate: new X509Certificate(own), key: this.#read("own.key") };
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #read(name: string): string {
    return readFileSync(join(this.#directory, name), "utf8");
  }

  #write(name: string, text: string): void {
    writeFileSync(join(this.#directory, name), text);
  }

  #openssl(command: string): void {
    execFileSync("openssl", command.split(" "), { cwd: this.#directory, stdio: "pipe" });
  }
}

const NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/** The last field of a TLSA record for a certificate, in hexadecimal. */
export function association(
  { raw, publicKey }: X509Certificate,
  selector: 0 | 1,
  matching: 0 | 1 | 2,
): string {
  const selected = selector === 0 ? raw : publicKey.export({ type: "spki", format: "der" });
  const digest = ["", "sha256", "sha512"][matching] ?? "";
  if (matching === 0) return selected.toString("hex");
  return createHash(digest).update(selected).digest("hex");
}
