// The certificates of a listener: chosen by the name that a client asks for (SNI, RFC 6066 3), and read again when
// their files change.
//
// Invariants: the files are looked at at a handshake, once a second at most. What cannot be used leaves the old
// certificate in force and is said once. Nothing in here throws at a handshake, whatever name a client asks for.

import { constants, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createSecureContext, DEFAULT_CIPHERS, type SecureContext } from "node:tls";
import type { Clock } from "../clock.ts";
import type { TlsOptions } from "./connection.ts";
import { describeError, type Log } from "../log.ts";

export interface CertificateFiles {
  /** PEM, the chain included. */
  readonly certificate: string;
  /** PEM. */
  readonly privateKey: string;
}

interface Loaded {
  readonly context: SecureContext;
  /** Lower case; "*.example.com" for every name with one label more. */
  readonly names: readonly string[];
}

/** How often the files are looked at, in ms. */
const FRESH = 1000;
/** What costs us much is asked for once in a session, and by the first word of its handshake: see LoopShare. */
const CIPHERS = `${DEFAULT_CIPHERS}:!kRSA`;

export class Certificates {
  readonly #pairs: readonly Pair[];
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #requestCert: boolean;
  #lookedAt: number;
  #options: TlsOptions;

  /** The first is for clients that ask for no name or an unknown one. Throws when one cannot be used. */
  constructor(files: readonly CertificateFiles[], requestCert: boolean, clock: Clock, log: Log) {
    this.#requestCert = requestCert;
    this.#pairs = files.map((pair) => new Pair(pair));
    this.#clock = clock;
    this.#log = log;
    this.#lookedAt = clock.monotonic();
    this.#options = optionsOf(this.#pairs, requestCert);
  }

  /** For the next handshake. */
  get options(): TlsOptions {
    const now = this.#clock.monotonic();
    if (now - this.#lookedAt < FRESH) return this.#options;
    this.#lookedAt = now;
    // All of them, before anything is decided.
    if (this.#pairs.map((pair) => this.#refresh(pair)).includes(true)) {
      this.#options = optionsOf(this.#pairs, this.#requestCert);
    }
    return this.#options;
  }

  #refresh(pair: Pair): boolean {
    try {
      return pair.refresh();
    } catch (error) {
      const what = `${pair.files.certificate} cannot be used, the old one stays: ${describeError(error)}`;
      this.#log.event("relay.warning", { what });
      return false;
    }
  }
}

class Pair {
  readonly files: CertificateFiles;
  loaded: Loaded;
  /** What the files looked like when they were last read, with success or not. */
  #stamp: string;

  constructor(files: CertificateFiles) {
    this.files = files;
    this.#stamp = stampOf(files);
    this.loaded = load(files);
  }

  /** Has it changed? Throws, once for each state of the files, when what is there cannot be used. */
  refresh(): boolean {
    const stamp = stampOf(this.files);
    if (stamp === this.#stamp) return false;
    this.#stamp = stamp;
    this.loaded = load(this.files);
    return true;
  }
}

/** A file that is not there has a stamp, too: while it is being replaced, it may be missing for a moment. */
function stampOf({ certificate, privateKey }: CertificateFiles): string {
  return [certificate, privateKey]
    .map((path) => {
      const found = statSync(path, { throwIfNoEntry: false });
      return found === undefined ? "none" : `${found.ino} ${found.size} ${found.mtimeMs}`;
    })
    .join(", ");
}

function load(files: CertificateFiles): Loaded {
  const cert = readFileSync(files.certificate, "utf8");
  const key = readFileSync(files.privateKey, "utf8");
  // OpenSSL resumes no session of a client with a certificate unless it knows whose session it is.
  const sessionIdContext = "unseen";
  const context = createSecureContext({
    cert,
    key,
    minVersion: "TLSv1.2",
    ciphers: CIPHERS,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    sessionIdContext,
  });
  const { subjectAltName = "" } = new X509Certificate(cert);
  const names = Array.from(subjectAltName.matchAll(/DNS:([^,\s"]+)/g), ([, name = ""]) =>
    name.toLowerCase(),
  );
  return { context, names };
}

function optionsOf(pairs: readonly Pair[], requestCert: boolean): TlsOptions {
  const [first, ...others] = pairs;
  if (first === undefined) throw new Error("there is no certificate");
  const secureContext = first.loaded.context;
  if (others.length === 0) return { secureContext, requestCert };
  const byName = new Map<string, SecureContext>();
  // The first one that has a name has it.
  for (const { loaded } of pairs.toReversed()) {
    for (const name of loaded.names) byName.set(name, loaded.context);
  }
  return {
    secureContext,
    requestCert,
    secureContextFor(asked) {
      const name = asked.toLowerCase();
      return byName.get(name) ?? byName.get(`*${name.slice(name.indexOf("."))}`);
    },
  };
}
