// One client of a proxy, from its connection to its end. A protocol reads commands until the client is logged in; then
// client and server are joined, or the protocol goes on and keeps copies.
//
// Invariants:
// - A client has three minutes to log in.
// - Client and server end together.
// - A password is held by the login under way only, and is not logged.

import type { Clock, Timer } from "../../base/clock.ts";
import type { MaybePromise } from "../../base/maybe-promise.ts";
import { given } from "../../base/given.ts";
import type { TlsOptions } from "../../base/net/connection.ts";
import type { Host } from "../../mail/host.ts";
import type { Log } from "../../observe/log.ts";
import { askHook, type HookAnswer } from "./auth-hook.ts";
import type { CopyKeeper } from "./copies/keeper.ts";
import type { ProxyOptions } from "./options.ts";
import type { Greet, Reached, Upstreams } from "./upstream.ts";
import { Peer } from "./wire/peer.ts";
import type { Credentials } from "./wire/sasl.ts";
import { Tunnel } from "./wire/tunnel.ts";

const LOGIN_PATIENCE = 180_000;
/** Milliseconds without any traffic after which a session with copies ends. Servers end it before (RFC 1939 3). */
const SILENCE_MAX = 1_800_000;
/** Octets of a login that are logged. */
const USER_MAX = 320;

/** What all sessions of a proxy share. */
export interface SessionMeans {
  readonly options: ProxyOptions;
  readonly clock: Clock;
  readonly log: Log;
  readonly hostname: string;
  readonly upstreams: Upstreams;
  /** Absent without `transport`. */
  readonly keeper: CopyKeeper | undefined;
  /** Absent if TLS is not offered. */
  readonly certificates: { current(): MaybePromise<TlsOptions> } | undefined;
}

export class Session {
  readonly client: Peer;
  readonly address: string;
  readonly means: SessionMeans;
  /** The name that the client gave at login, once the server has accepted it. */
  user: string | undefined;
  isLoggedIn = false;
  /** The account that copies are kept for. */
  account: string | undefined;
  /** No further command is to be taken. */
  isEnding = false;
  #server: Peer | undefined;
  #serverName = "";
  readonly #deadline: Timer;
  #attempts = 0;
  #isTlsUnderWay = false;
  #tunnel: Tunnel | undefined;
  readonly #ended: () => void;

  /** `ended` is called once, when both connections are closed or given up. */
  constructor(client: Peer, address: string, means: SessionMeans, ended: () => void) {
    this.client = client;
    this.address = address;
    this.means = means;
    this.#ended = ended;
    this.#deadline = means.clock.after(LOGIN_PATIENCE, () => this.destroy());
  }

  get options(): ProxyOptions {
    return this.means.options;
  }

  /** The client must start TLS before it may log in. */
  get needsTls(): boolean {
    return this.options.tls === "starttls" && this.client.tls === undefined;
  }

  /** Throws if the session has no server. */
  get server(): Peer {
    if (this.#server === undefined) throw new Error("no server is connected");
    return this.#server;
  }

  /** The handshake with the client has begun and has not succeeded. */
  get isTlsUnderWay(): boolean {
    return this.#isTlsUnderWay;
  }

  /** Lets the client begin TLS by `answer`, a line. What it has sent in clear is forgotten. */
  async acceptTls(answer: string): Promise<void> {
    this.client.forget();
    this.client.write(`${answer}\r\n`);
    await this.startTls();
  }

  /** Shakes hands with the client, with the certificate in force. */
  async startTls(): Promise<void> {
    const { certificates } = this.means;
    if (certificates === undefined) throw new Error("the proxy has no certificate");
    this.#isTlsUnderWay = true;
    await this.client.acceptTls(await certificates.current());
    this.#isTlsUnderWay = false;
  }

  /** Connects to the first server that can be used. */
  async reach(greet: Greet, hosts?: readonly Host[]): Promise<Reached> {
    this.dropServer();
    const reached = await this.means.upstreams.reach(
      hosts ?? this.options.server ?? [],
      greet,
      (server) => {
        this.#server = server;
        if (this.client.isDestroyed) server.destroy();
      },
    );
    if (reached.kind === "reached") this.#serverName = reached.upstream.name;
    else this.#server = undefined;
    return reached;
  }

  dropServer(): void {
    this.#server?.destroy();
    this.#server = undefined;
  }

  /** Asks auth_http. Waits as long as it orders before a refusal. */
  async ask(url: URL, credentials: Credentials, helo?: string): Promise<HookAnswer> {
    const { clock, options } = this.means;
    this.#attempts += 1;
    for (;;) {
      const question = {
        ...credentials,
        protocol: options.protocol,
        client: this.address,
        attempt: this.#attempts,
        tls: this.client.tls,
        helo,
      };
      const answer = await askHook(url, question, clock);
      const wait = answer.kind === "wait" || answer.kind === "refused" ? answer.wait : 0;
      if (wait > 0) await new Promise<void>((resolve) => clock.after(wait * 1000, resolve));
      if (answer.kind !== "wait") return answer;
      if (this.client.isDestroyed) return { kind: "failed", why: "the client has gone" };
    }
  }

  /** The server has accepted the client. */
  loggedIn(user: string | undefined): void {
    const { log, options } = this.means;
    this.#deadline.cancel();
    this.user = user;
    this.isLoggedIn = true;
    log.event("proxy.login", {
      proxy: options.name,
      client: this.address,
      ...given({ user: user?.slice(0, USER_MAX), tls: tlsText(this.client) }),
      server: this.#serverName,
    });
  }

  loginFailed(user: string | undefined, why: string): void {
    this.means.log.event("proxy.login_failed", {
      proxy: this.options.name,
      client: this.address,
      ...given({ user: user?.slice(0, USER_MAX) }),
      why: why.trim().slice(0, 500),
    });
  }

  /** From now on both sides get what the other sends. */
  join(): void {
    this.#deadline.cancel();
    this.#tunnel = new Tunnel(this.client.release(), this.server.release(), this.#ended);
  }

  /** Ends what the protocol has left open. Must be called when the protocol has ended. */
  finish(): void {
    if (this.#tunnel !== undefined) return;
    this.#deadline.cancel();
    this.#server?.destroy();
    this.client.end();
    this.#ended();
  }

  /** From now on the protocol keeps copies for this account. */
  keepsFor(account: string): void {
    this.account = account;
    this.client.cutOffAfter(SILENCE_MAX);
    this.server.cutOffAfter(SILENCE_MAX);
  }

  /** Ends the session at a moment without traffic or between two commands: before the login at once. */
  endWhenQuiet(): void {
    this.isEnding = true;
    if (this.#tunnel !== undefined) this.#tunnel.endWhenQuiet(this.means.clock);
    else if (this.account === undefined) this.destroy();
    else this.client.wake();
  }

  /** Cuts both sides off. */
  destroy(): void {
    this.client.destroy();
    this.#server?.destroy();
  }
}

function tlsText({ tls }: Peer): string | undefined {
  return tls === undefined ? undefined : `${tls.version} ${tls.cipher}`;
}
