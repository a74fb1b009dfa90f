// All proxies of the process: clients are taken at the address of a proxy, and each has a session until it ends.
//
// Invariants: a proxy has at most `connections_max` sessions. An error of one session ends only that session.

import type { Socket } from "node:net";
import type { Clock, Timer } from "../../base/clock.ts";
import { FileTurns } from "../../base/file-turns.ts";
import { Certificates } from "../../base/net/certificates.ts";
import type { ListenAddress } from "../../base/net/listen-address.ts";
import { describeError, type Log } from "../../observe/log.ts";
import type { CopyKeeper } from "./copies/keeper.ts";
import { imap } from "./imap/imap.ts";
import type { ProxyOptions } from "./options.ts";
import { pop3 } from "./pop3/pop3.ts";
import type { Protocols } from "./protocol.ts";
import { Session, type SessionMeans } from "./session.ts";
import { smtp } from "./smtp/smtp.ts";
import { Upstreams } from "./upstream.ts";
import { LineTooLong, Peer, PeerGone } from "./wire/peer.ts";

const PROTOCOLS: Protocols = { imap, pop3, smtp };

export interface ServerMeans {
  readonly clock: Clock;
  readonly log: Log;
  readonly hostname: string;
}

/** A proxy, as `relayctl proxies status` shows it. */
export interface ProxyStatus {
  readonly proxy: string;
  readonly protocol: string;
  readonly address: string;
  /** Clients that are connected, and those of them that are logged in. */
  readonly sessions: number;
  readonly logged_in: number;
}

/** Makes what keeps the copies of a proxy; undefined if it keeps none. */
export type KeeperOf = (options: ProxyOptions) => CopyKeeper | undefined;

class Proxy {
  readonly means: SessionMeans;
  readonly sessions = new Set<Session>();

  constructor(
    options: ProxyOptions,
    keeper: CopyKeeper | undefined,
    means: ServerMeans,
    turns: FileTurns,
  ) {
    this.means = {
      ...means,
      options,
      keeper,
      upstreams: new Upstreams(options, means),
      certificates: certificatesOf(options, { ...means, turns }),
    };
  }
}

export class ProxyServer {
  readonly #means: ServerMeans;
  /** By the address, as it is written. */
  readonly #proxies = new Map<string, Proxy>();
  #whenEmpty: (() => void) | undefined;
  #isClosing = false;

  /** Throws if a certificate cannot be used. */
  constructor(proxies: readonly ProxyOptions[], keeperOf: KeeperOf, means: ServerMeans) {
    this.#means = means;
    const turns = new FileTurns(1);
    for (const options of proxies) {
      this.#proxies.set(
        options.address.written,
        new Proxy(options, keeperOf(options), means, turns),
      );
    }
  }

  connected(socket: Socket, address: ListenAddress): void {
    const proxy = this.#proxies.get(address.written);
    socket.on("error", () => socket.destroy());
    const client = socket.remoteAddress?.replace(/^::ffff:(?=[\d.]+$)/, "");
    if (proxy === undefined || client === undefined || this.#isClosing) {
      socket.destroy();
    } else if (proxy.sessions.size >= proxy.means.options.connections_max) {
      this.#refuse(socket, client, proxy);
    } else {
      void this.#serve(socket, client, proxy);
    }
  }

  status(): ProxyStatus[] {
    return [...this.#proxies.values()].map(({ means: { options }, sessions }) => ({
      proxy: options.name,
      protocol: options.protocol,
      address: options.address.written,
      sessions: sessions.size,
      logged_in: [...sessions].filter(({ isLoggedIn }) => isLoggedIn).length,
    }));
  }

  /** The sessions for which copies are kept, by account. */
  accounts(): ReadonlyMap<string, number> {
    const sessions = new Map<string, number>();
    for (const { account } of this.#sessions()) {
      if (account !== undefined) sessions.set(account, (sessions.get(account) ?? 0) + 1);
    }
    return sessions;
  }

  /** Takes no new clients, and cuts the sessions off that have not ended after `grace` ms. */
  async close(grace: number): Promise<void> {
    this.#isClosing = true;
    const empty = new Promise<void>((resolve) => (this.#whenEmpty = resolve));
    const late: Timer = this.#means.clock.after(grace, () => {
      for (const session of this.#sessions()) session.destroy();
    });
    for (const session of this.#sessions()) session.endWhenQuiet();
    this.#ended();
    await empty;
    late.cancel();
  }

  #sessions(): Session[] {
    return [...this.#proxies.values()].flatMap(({ sessions }) => [...sessions]);
  }

  #ended(): void {
    if (this.#isClosing && this.#sessions().length === 0) this.#whenEmpty?.();
  }

  #refuse(socket: Socket, client: string, { means }: Proxy): void {
    const { options, hostname } = means;
    const why = `connections_max (${options.connections_max})`;
    this.#means.log.event("proxy.refused", { proxy: options.name, client, why });
    if (options.tls !== "implicit") socket.write(PROTOCOLS[options.protocol].tooMany(hostname));
    socket.destroySoon();
  }

  async #serve(socket: Socket, address: string, { means, sessions }: Proxy): Promise<void> {
    socket.allowHalfOpen = true;
    const session = new Session(new Peer(socket), address, means, () => {
      sessions.delete(session);
      this.#ended();
    });
    sessions.add(session);
    const { options } = means;
    try {
      if (options.tls === "implicit") await session.startTls();
      await PROTOCOLS[options.protocol].serve(session);
    } catch (error) {
      this.#failed(session, error);
    }
    session.finish();
  }

  #failed({ address, options, isTlsUnderWay }: Session, error: unknown): void {
    // Peers that go without a word are ordinary.
    if (error instanceof PeerGone && !isTlsUnderWay) return;
    const { log } = this.#means;
    if (error instanceof LineTooLong || isTlsUnderWay) {
      const why = `${isTlsUnderWay ? "TLS: " : ""}${describeError(error)}`;
      log.event("proxy.refused", { proxy: options.name, client: address, why });
    } else {
      log.event("relay.error", { where: `proxies: ${options.name}`, error: describeError(error) });
    }
  }
}

function certificatesOf(
  { tls, certificate, private_key: privateKey, certificates }: ProxyOptions,
  parts: ConstructorParameters<typeof Certificates>[2],
): Certificates | undefined {
  if (tls === "none" || certificate === undefined || privateKey === undefined) return undefined;
  const more = certificates.map((one) => ({
    certificate: one.certificate,
    privateKey: one.private_key,
  }));
  return new Certificates([{ certificate, privateKey }, ...more], false, parts);
}
