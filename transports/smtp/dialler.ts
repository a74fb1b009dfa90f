// Opens a conversation with one address, the way the options say. Opportunistic TLS that fails in the handshake
// is tried once more in the clear, on a new connection (Exim's tls_tempfail_tryclear).

import { isIP } from "node:net";
import type { Services } from "../../src/contract.ts";
import { connect, type Connected, type ConnectOptions } from "../../src/smtp/client.ts";
import type { SmtpOptions } from "./settings.ts";
import type { Target } from "./targets.ts";

export class Dialler {
  readonly #common: Omit<ConnectOptions, keyof Target | "localAddress">;
  readonly #interfaces: readonly string[];
  readonly #options: SmtpOptions;

  constructor(options: SmtpOptions, services: Services, trusted: string | undefined) {
    this.#options = options;
    this.#interfaces = options.interface ?? [];
    this.#common = {
      protocol: options.protocol,
      helo: options.helo ?? services.hostname,
      tls: options.tls,
      tryClear: options.tls_tempfail_tryclear,
      ...(trusted === undefined ? {} : { trusted }),
      clock: services.clock,
      timeouts: {
        connect: options.connect_timeout,
        command: options.command_timeout,
        data: options.data_timeout,
        final: options.final_timeout,
      },
    };
  }

  /** The postmaster wrote it down for this transport: it is not only what a router or the DNS came up with. */
  isOwn({ name, port }: Target): boolean {
    const { hosts = [], port: usual, socket } = this.#options;
    if (socket !== undefined) return true;
    return hosts.some((host) => host.name === name && (host.port ?? usual) === port);
  }

  async dial(target: Target, signal: AbortSignal): Promise<Connected> {
    const family = isIP(target.address);
    const localAddress = this.#interfaces.find((address) => isIP(address) === family);
    const { credentials } = this.#options;
    const how: ConnectOptions = {
      ...this.#common,
      ...target,
      ...(localAddress === undefined ? {} : { localAddress }),
      ...(credentials !== undefined && this.isOwn(target) ? { credentials } : {}),
    };
    const connected = await connect(how, signal);
    const inClear =
      connected.kind === "failed" &&
      connected.tlsFailed &&
      how.tls === "opportunistic" &&
      how.tryClear &&
      !signal.aborted;
    return inClear ? connect({ ...how, tls: "none" }, signal) : connected;
  }
}
