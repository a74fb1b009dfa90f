// A mail host of Google or of another domain, played by smtp-server. It accepts all mail, keeps it in memory, and can
// be busy or slow.

import { once } from "node:events";
import { SMTPServer } from "smtp-server";
import { testCertificate } from "../test/support/certificates.ts";

export interface Arrival {
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly raw: Buffer;
  /** "TLSv1.3", or undefined in clear. */
  readonly tls: string | undefined;
}

/** "busy": 450 for each recipient. "slow": thinks before it answers to the end of a message. */
export type Mood = "well" | "busy" | "slow";

const THINKING_TIME = 300;

export class Peer implements AsyncDisposable {
  readonly name: string;
  readonly address: string;
  readonly arrivals: Arrival[] = [];
  mood: Mood = "well";
  readonly #server: SMTPServer;
  #port = 0;

  private constructor(name: string, address: string) {
    this.name = name;
    this.address = address;
    this.#server = new SMTPServer({
      ...testCertificate(),
      authOptional: true,
      disableReverseLookup: true,
      hideENHANCEDSTATUSCODES: true,
      closeTimeout: 100,
      onRcptTo: (_to, _session, done) => {
        if (this.mood === "busy") done(refusal(450, "4.2.1 receiving mail too quickly"));
        else done();
      },
      onData: (stream, { envelope, secure, tlsOptions }, done) => {
        const pieces: Buffer[] = [];
        stream.on("data", (piece: Buffer) => pieces.push(piece));
        stream.on("end", () => {
          this.arrivals.push({
            sender: envelope.mailFrom === false ? "" : envelope.mailFrom.address,
            recipients: envelope.rcptTo.map((one) => one.address),
            raw: Buffer.concat(pieces),
            tls: secure && tlsOptions !== false ? (tlsOptions.version ?? "TLS") : undefined,
          });
          if (this.mood === "slow") setTimeout(() => done(null, "2.0.0 taken"), THINKING_TIME);
          else done(null, "2.0.0 taken");
        });
      },
    });
    // The demo kills the relay, which then hangs up in the middle of a session.
    this.#server.on("error", () => undefined);
  }

  static async start(name: string, address: string): Promise<Peer> {
    const peer = new Peer(name, address);
    const listener = peer.#server.listen(0, address);
    await once(listener, "listening");
    const bound = listener.address();
    if (bound === null || typeof bound === "string") throw new Error("not listening on a port");
    peer.#port = bound.port;
    return peer;
  }

  get port(): number {
    return this.#port;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

function refusal(code: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode: code });
}
