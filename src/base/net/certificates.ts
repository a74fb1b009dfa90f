// The certificates of a listener. They are chosen by the name that a client asks for (SNI, RFC 6066 3) and read again
// when their files change.
//
// Invariants:
//
// - The files are checked for changes during handshakes, at most once a second.
// - If a changed file cannot be used, the old certificate stays in force and the log says so once.
// - Nothing in here throws at a handshake, whatever name a client asks for.
// - A handshake waits at most 100 ms for files that do not answer. Until they answer, later handshakes do not wait and
//   use the old certificate.

import { constants, X509Certificate } from "node:crypto";
import { readFileSync, statSync, type Stats } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createSecureContext, DEFAULT_CIPHERS, type SecureContext } from "node:tls";
import type { Clock } from "../clock.ts";
import type { TlsOptions } from "./connection.ts";
import type { FileTurns } from "../file-turns.ts";
import type { MaybePromise } from "../maybe-promise.ts";
import { errorCode } from "../error-code.ts";
import { describeError, type Log } from "../../observe/log.ts";

export interface CertificateFiles {
  /** PEM, the chain included. */
  readonly certificate: string;
  /** PEM. */
  readonly privateKey: string;
}

interface Loaded {
  readonly context: SecureContext;
  /** Lower case; "*.example.com" stands for every name with one label more. */
  readonly names: readonly string[];
}

/** Shortest time between two checks of the files, in ms. */
const FRESH = 1000;
/** Milliseconds that a handshake waits for the files. */
const PATIENCE = 100;
/** Milliseconds without an answer after which the log says so. */
const REPORTED_AFTER = 5000;
/**
 * RSA key exchange is excluded: its expensive private-key operation comes with a later message of the handshake.
 * Expensive work must come once a session and with the ClientHello; see LoopShare.
 */
const CIPHERS = `${DEFAULT_CIPHERS}:!kRSA`;

/** The file system calls that are made while the relay serves. They may never resolve. */
export interface CertificateCalls {
  stat(path: string): Promise<Stats>;
  readFile(path: string, encoding: "utf8"): Promise<string>;
}

export interface CertificateParts {
  readonly clock: Clock;
  readonly log: Log;
  /** Turns at the thread pool. Files that hang hold one place there, whatever the number of listeners. */
  readonly turns: FileTurns;
  readonly calls?: CertificateCalls;
}

/** A check of all files. */
interface Looking {
  /** By the monotonic clock. */
  readonly since: number;
  /** The options in force when the check has ended or is late. Never rejects. */
  readonly options: Promise<TlsOptions>;
  isLate: boolean;
  isReported: boolean;
}

export class Certificates {
  readonly #pairs: readonly Pair[];
  readonly #parts: CertificateParts;
  readonly #requestCert: boolean;
  #lookedAt: number;
  #looking: Looking | undefined;
  #options: TlsOptions;

  /**
   * The first certificate is for clients that ask for no name or an unknown one. Throws when a certificate cannot be
   * used.
   */
  constructor(files: readonly CertificateFiles[], requestCert: boolean, parts: CertificateParts) {
    this.#requestCert = requestCert;
    const calls = parts.calls ?? { stat, readFile };
    this.#pairs = files.map((pair) => new Pair(pair, calls));
    this.#parts = parts;
    this.#lookedAt = parts.clock.monotonic();
    this.#options = optionsOf(this.#pairs, requestCert);
  }

  /** The options that were used last. */
  get options(): TlsOptions {
    return this.#options;
  }

  /** The options for the next handshake. */
  current(): MaybePromise<TlsOptions> {
    const now = this.#parts.clock.monotonic();
    if (this.#looking === undefined && now - this.#lookedAt < FRESH) return this.#options;
    const looking = (this.#looking ??= this.#look(now));
    if (!looking.isLate) return looking.options;
    if (now - looking.since >= REPORTED_AFTER && !looking.isReported) this.#report(looking);
    return this.#options;
  }

  #look(since: number): Looking {
    const { clock, turns } = this.#parts;
    this.#lookedAt = since;
    const { promise: options, resolve } = Promise.withResolvers<TlsOptions>();
    const looking = { since, options, isLate: false, isReported: false };
    const timer = clock.after(PATIENCE, () => {
      looking.isLate = true;
      resolve(this.#options);
    });
    const refreshAll = async () => {
      const [{ files } = { files: { certificate: "" } }] = this.#pairs;
      await turns.take(files.certificate, () => this.#refreshAll());
      timer.cancel();
      this.#looking = undefined;
      resolve(this.#options);
    };
    void refreshAll();
    return looking;
  }

  #report(looking: Looking): void {
    looking.isReported = true;
    const files = this.#pairs.map((pair) => pair.files.certificate).join(", ");
    const what = `the file system of ${files} does not answer, the certificate in force stays`;
    this.#parts.log.event("relay.warning", { what });
  }

  /** Reads all pairs before the options are replaced. */
  async #refreshAll(): Promise<void> {
    let isNew = false;
    for (const pair of this.#pairs) if (await this.#refresh(pair)) isNew = true;
    if (isNew) this.#options = optionsOf(this.#pairs, this.#requestCert);
  }

  async #refresh(pair: Pair): Promise<boolean> {
    try {
      return await pair.refresh();
    } catch (error) {
      const what = `${pair.files.certificate} cannot be used, the old one stays: ${describeError(error)}`;
      this.#parts.log.event("relay.warning", { what });
      return false;
    }
  }
}

class Pair {
  readonly files: CertificateFiles;
  readonly #calls: CertificateCalls;
  loaded: Loaded;
  /** The state of both files when they were last read, with success or not. */
  #stamp: string;

  /** Reads the files synchronously: the relay serves no client yet. */
  constructor(files: CertificateFiles, calls: CertificateCalls) {
    this.files = files;
    this.#calls = calls;
    const { certificate, privateKey } = files;
    const stamps = [certificate, privateKey].map((path) =>
      stampOf(statSync(path, { throwIfNoEntry: false })),
    );
    this.#stamp = stamps.join();
    this.loaded = loadedFrom(readFileSync(certificate, "utf8"), readFileSync(privateKey, "utf8"));
  }

  /**
   * Resolves to whether the files have changed. Rejects, once for each state of the files, when they cannot be used.
   */
  async refresh(): Promise<boolean> {
    const { certificate, privateKey } = this.files;
    const stamp = [await this.#stampOf(certificate), await this.#stampOf(privateKey)].join();
    if (stamp === this.#stamp) return false;
    this.#stamp = stamp;
    const cert = await this.#calls.readFile(certificate, "utf8");
    this.loaded = loadedFrom(cert, await this.#calls.readFile(privateKey, "utf8"));
    return true;
  }

  async #stampOf(path: string): Promise<string> {
    try {
      return stampOf(await this.#calls.stat(path));
    } catch (error) {
      if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return stampOf();
      throw error;
    }
  }
}

/** A missing file has a stamp too: while it is being replaced, it may be missing for a moment. */
function stampOf(found?: Stats): string {
  return found === undefined ? "none" : `${found.ino} ${found.size} ${found.mtimeMs}`;
}

function loadedFrom(cert: string, key: string): Loaded {
  // OpenSSL resumes a session with a client certificate only if the session has a context id.
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
  // If several certificates have a name, the first one is used.
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
