// Opens a conversation with one address, as the options and the host's TLS policy require. If the handshake of
// opportunistic TLS fails, the address is tried once more in the clear, on a new connection (Exim's
// tls_tempfail_tryclear), and remembered. An authority that matches DANE records is learnt on one connection, for the
// next ones.

import { isIP } from "node:net";
import { given } from "../../src/base/given.ts";
import type { Services } from "../../src/contract/contract.ts";
import { TtlCache } from "../../src/base/ttl-cache.ts";
import { connect, type Connected, type ConnectOptions } from "../../src/smtp/client/client.ts";
import type { Anchors } from "../../src/tls/dane.ts";
import type { TlsSessions } from "../../src/tls/sessions.ts";
import { countSession } from "./tls-results.ts";
import type { SmtpOptions } from "./resolved-options.ts";
import type { Target } from "./targets.ts";

type Common = Pick<
  ConnectOptions,
  "protocol" | "helo" | "tryClear" | "trusted" | "clock" | "timeouts"
>;

/** Most addresses that are remembered for a failed handshake. */
const MEMORY = 1000;
/** Milliseconds for which mail goes in the clear to an address whose handshake failed. */
const CLEAR_FOR = 600_000;
/** Most octets of all authorities that are remembered. */
const ANCHOR_OCTETS = 8 * 1024 * 1024;
/** Milliseconds. A learnt authority stays valid; this limit only drops hosts that get no mail any more. */
const ANCHORS_FOR = 86_400_000;

export class Dialler {
  readonly #options: SmtpOptions;
  readonly #common: Common;
  readonly #interfaces: readonly string[];
  readonly #sessions: TlsSessions | undefined;
  /** By label of the target: the handshake failed, and a connection in the clear worked. */
  readonly #inClear: TtlCache<true>;
  /** By key of the policy, which contains its records. */
  readonly #anchors: TtlCache<Anchors>;

  constructor(options: SmtpOptions, services: Services, trusted: string | undefined) {
    this.#options = options;
    this.#interfaces = options.interface ?? [];
    this.#sessions = services.tlsSessions;
    this.#inClear = new TtlCache(services.clock, MEMORY);
    this.#anchors = new TtlCache(services.clock, ANCHOR_OCTETS, weightOf);
    this.#common = {
      protocol: options.protocol,
      helo: options.helo ?? services.hostname,
      tryClear: options.tls_tempfail_tryclear,
      ...given({ trusted }),
      clock: services.clock,
      timeouts: {
        connect: options.connect_timeout,
        command: options.command_timeout,
        data: options.data_timeout,
        final: options.final_timeout,
      },
    };
  }

  /** Whether the host is one of this transport's `hosts`, or its socket. Hosts from a router or DNS are not. */
  isOwn({ name, port }: Target): boolean {
    const { hosts = [], port: usual, socket } = this.#options;
    if (socket !== undefined) return true;
    return hosts.some((host) => host.name === name && (host.port ?? usual) === port);
  }

  async dial(target: Target, signal: AbortSignal): Promise<Connected> {
    switch (target.policy.tls) {
      case "opportunistic":
        return this.#dialOpportunistically(target, signal);
      case "dane":
        return this.#counted(target, await this.#dialByDane(target, signal), signal);
      case "none":
      case "required":
      case "verify":
        return this.#counted(target, await connect(this.#how(target), signal), signal);
    }
  }

  /** Counts the session for TLS reports, unless the relay cut it short: that says nothing about the host. */
  #counted(target: Target, connected: Connected, signal: AbortSignal): Connected {
    if (!signal.aborted) countSession(this.#sessions, target, connected);
    return connected;
  }

  async #dialOpportunistically(target: Target, signal: AbortSignal): Promise<Connected> {
    const how = this.#how(target);
    const inClear = { ...how, tls: "none" } as const;
    if (this.#inClear.get(target.label) !== undefined) return connect(inClear, signal);
    const connected = this.#counted(target, await connect(how, signal), signal);
    if (connected.kind === "connected" || !connected.tlsFailed) return connected;
    if (!how.tryClear || signal.aborted) return connected;
    const again = await connect(inClear, signal);
    if (again.kind === "connected") this.#inClear.set(target.label, true, CLEAR_FOR);
    return again;
  }

  async #dialByDane(target: Target, signal: AbortSignal): Promise<Connected> {
    const { key } = target.policy;
    const how = this.#how(target);
    const known = this.#anchors.get(key);
    const connected = await connect(known === undefined ? how : { ...how, anchors: known }, signal);
    if (connected.kind === "connected" || connected.anchors === undefined) return connected;
    const { anchors } = connected;
    if (signal.aborted || anchors.every((anchor) => known?.includes(anchor))) return connected;
    this.#anchors.set(key, anchors, ANCHORS_FOR);
    return connect({ ...how, anchors }, signal);
  }

  #how(target: Target): ConnectOptions {
    const { name, address, port, socket, policy } = target;
    const { credentials } = this.#options;
    const family = isIP(address);
    const localAddress = this.#interfaces.find((own) => isIP(own) === family);
    return {
      ...this.#common,
      name,
      address,
      port,
      tls: policy.tls,
      ...given({ dane: policy.dane, localAddress, socket }),
      ...(credentials !== undefined && this.isOwn(target) ? { credentials } : {}),
    };
  }
}

function weightOf(key: string, anchors: Anchors): number {
  return anchors.reduce((sum, { length }) => sum + length, key.length);
}
