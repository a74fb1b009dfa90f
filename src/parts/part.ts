// What a part is: everything of the relay that is not the way of a message. A part is a folder beside this file and one
// line in src/parts.ts; nobody imports it. It declares its sections of the configuration file, its events, commands and drivers,
// offers services to drivers, and says what it does when the relay starts, reloads and stops.

import type { Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import type { Https } from "../base/net/https.ts";
import type { ListenAddress } from "../base/net/listen-address.ts";
import type { Command } from "../contract/command.ts";
import type { RouterDriver, Services, TransportDriver } from "../contract/contract.ts";
import type { Resolver } from "../dns/dns.ts";
import type { Mailbox } from "../mail/envelope.ts";
import type { EventTable } from "../observe/event.ts";
import type { Log } from "../observe/log.ts";
import type { FieldValues, Option } from "../options/options.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { Spool } from "../spool/spool.ts";

/** What a part has from its beginning to its end, whichever configuration is in force. */
export interface PartMeans {
  readonly clock: Clock;
  readonly log: Log;
  /** The relay's own name when it started. */
  readonly hostname: string;
  readonly spoolDirectory: string;
  /** A dry run: nothing on disk is touched, and nothing is counted. */
  readonly readOnly: boolean;
}

/** How other people's hosts are reached. */
export interface Outside {
  readonly resolver: Resolver;
  readonly https: Https;
}

/** What the configuration in force says. */
export interface Generation<Sections> {
  readonly sections: Sections;
  readonly outside: Outside;
  /** The relay's own name. */
  readonly hostname: string;
  /** Whom the relay writes to when nobody else is to hear of it. */
  readonly postmaster: Mailbox;
}

/** Where mail of the part's own goes. */
export interface PartMail {
  readonly outbox: Pick<Outbox, "post" | "write">;
  readonly spool: Pick<Spool, "listed" | "sendList">;
  /** Something is due. */
  wake(): void;
}

/** Services of a part for drivers. */
export interface Offer {
  readonly services: Partial<Pick<Services, "mtaSts" | "tlsSessions">>;
  close?(): Promise<void>;
}

export interface RunningPart<Sections> {
  /** Called once for each way to the outside. `services` are those of the parts before it. */
  offer?(outside: Outside, services: Offer["services"]): Offer;
  /** The spool is open, and no client is served yet. A part with trouble of its own says so in the log. */
  begin?(generation: Generation<Sections>, mail: PartMail): Promise<void> | void;
  /** From now on by this configuration. */
  follow?(generation: Generation<Sections>): void;
  close?(): Promise<void>;
}

/** What a part's process has from its beginning to its end. */
interface ProcessMeans<Sections> {
  readonly clock: Clock;
  readonly log: Log;
  readonly sections: Sections;
  readonly hostname: string;
  readonly spoolDirectory: string;
}

/** A part that serves in a process of its own. */
interface ServedPart {
  /** A client has connected to this address. Nothing has been read of it yet. */
  connected?(socket: Socket, address: ListenAddress): void;
  /** Ends what is under way in good order, or cuts it after `grace` ms. */
  close(grace: number): Promise<void>;
}

/**
 * What a part does in a process of its own, because it faces other people or does heavy work. `relayctl serve` starts it
 * and starts it again when it has died; `relayctl serve PART` is it alone.
 */
export interface PartProcess<Sections> {
  /** Does the configuration ask for it? */
  isWanted(sections: Sections): boolean;
  /** Where it listens. */
  addresses?(sections: Sections): readonly ListenAddress[];
  /** Rejects when it cannot serve; its process then ends. */
  serve(means: ProcessMeans<Sections>): Promise<ServedPart>;
}

/** Drivers that routers.toml may name, beside those of routers/ and transports/. */
interface PartDrivers {
  readonly routers?: readonly RouterDriver[];
  readonly transports?: readonly TransportDriver[];
}

type Tables = Readonly<Record<string, Option<unknown>>>;

export interface Part {
  readonly name: string;
  /** Tables of the configuration file, by their names there. */
  readonly sections: Tables;
  readonly commands: readonly Command[];
  /** What it logs beside the events that every room may log. */
  readonly events?: EventTable;
  readonly drivers?: PartDrivers;
  start?(means: PartMeans): RunningPart<unknown>;
  readonly process?: PartProcess<unknown>;
}

/** Declares a part; what it starts sees its sections with their types. */
export function part<Own extends Tables>(declaration: {
  readonly name: string;
  readonly sections?: Own;
  readonly commands?: readonly Command[];
  readonly events?: EventTable;
  readonly drivers?: PartDrivers;
  start?(means: PartMeans): RunningPart<FieldValues<Own>>;
  readonly process?: PartProcess<FieldValues<Own>>;
}): Part {
  return { sections: {}, commands: [], ...declaration };
}
