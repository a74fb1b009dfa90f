// The servers of the relay's process, which listen at [[listeners]]: the SMTP server, and those of parts, each for its
// protocol.
//
// Invariants:
// - All doors change together, or none does. A server that has changed before another one fails goes back.
// - An address keeps its protocol: the server of another one could not bind it before the first has left it.

import type { Door } from "../base/net/listeners.ts";
import type { PartServer, Protocol } from "../parts/part.ts";
import type { Reception } from "../smtp/server/reception.ts";
import type { ServerOptions, SmtpServer } from "../smtp/server/server.ts";

interface ProtocolDoor extends Door {
  readonly protocol: Protocol;
}

type Server = Omit<PartServer, "protocol">;

/** The relay must be restarted before it can listen so. */
export class NeedsRestart extends Error {}

export class Servers {
  readonly smtp: SmtpServer;
  readonly #byProtocol: ReadonlyMap<Protocol, Server>;
  /** The doors at present. */
  #doors: readonly ProtocolDoor[] = [];

  constructor(smtp: SmtpServer, ofParts: readonly PartServer[]) {
    this.smtp = smtp;
    const others = ofParts.map((server) => [server.protocol, server] as const);
    this.#byProtocol = new Map<Protocol, Server>([["smtp", smtp], ...others]);
  }

  /**
   * Listens at these doors and at no others, and returns the ports in their order. Rejects if a port cannot be bound or
   * a certificate cannot be used, and with NeedsRestart if an address changes its protocol.
   */
  async listenOnly(doors: readonly ProtocolDoor[]): Promise<readonly number[]> {
    for (const door of doors) this.#checkProtocol(door);
    const ports = new Map<ProtocolDoor, number>();
    const changed: Protocol[] = [];
    try {
      for (const [protocol, server] of this.#byProtocol) {
        const own = doors.filter((door) => door.protocol === protocol);
        const bound = await server.listenOnly(own);
        changed.push(protocol);
        for (const [index, door] of own.entries()) ports.set(door, bound[index] ?? door.port);
      }
    } catch (error) {
      for (const protocol of changed) {
        const former = this.#doors.filter((door) => door.protocol === protocol);
        await this.#byProtocol.get(protocol)?.listenOnly(former);
      }
      throw error;
    }
    this.#doors = doors;
    return doors.map((door) => ports.get(door) ?? door.port);
  }

  #checkProtocol({ host, port, protocol }: ProtocolDoor): void {
    const former = this.#doors.find((door) => door.host === host && door.port === port);
    if (former === undefined || former.protocol === protocol || port === 0) return;
    const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    throw new NeedsRestart(
      `${address} cannot change its protocol from "${former.protocol}" to "${protocol}" while the relay runs: restart the relay, or reload once without this listener`,
    );
  }

  open(reception: Reception): void {
    for (const server of this.#byProtocol.values()) server.open(reception);
  }

  follow(options: ServerOptions): void {
    for (const server of this.#byProtocol.values()) server.follow(options);
  }

  async stop(grace: number): Promise<void> {
    await Promise.all(Array.from(this.#byProtocol.values(), (server) => server.stop(grace)));
  }
}
