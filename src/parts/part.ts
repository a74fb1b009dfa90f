// The declaration of a part. A part is a piece of the relay that is not on the way of a message: a folder beside this
// file and one line in src/parts.ts. Only that line imports it. A part declares its sections of the configuration file,
// its events, commands and drivers, offers services to drivers, and says what it does at start, reload and stop.

import type { Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import type { WrittenDirectory } from "../base/durable/directory.ts";
import type { Https } from "../base/net/https.ts";
import type { ListenAddress } from "../base/net/listen-address.ts";
import type { Door } from "../base/net/listeners.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Command, Given } from "../contract/command.ts";
import type { RouterDriver, Services, Transport, TransportDriver } from "../contract/contract.ts";
import type { Gate } from "../receive/gate/gate.ts";
import type { ListsWithRefresh } from "../lists/create-lists.ts";
import type { Lookup } from "../lists/lookup.ts";
import type { Resolver } from "../dns/dns.ts";
import type { Mailbox } from "../mail/envelope.ts";
import type { EventTable } from "../observe/event.ts";
import type { EventName, Events } from "../observe/events.ts";
import type { Log } from "../observe/log.ts";
import type { FieldValues, Option, Options } from "../options/options.ts";
import type { Holds } from "../queue/holds.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { QueueView } from "../spool/queue-view.ts";
import type { Rehearsal } from "../route/rehearsal.ts";
import type { Route } from "../route/route.ts";
import type { Reception } from "../smtp/server/reception.ts";
import type { ServerOptions } from "../smtp/server/server.ts";
import type { Spool } from "../spool/spool.ts";
import type { Logins } from "../users/logins.ts";

/** The things that a part has from its start to its end, also over a reload. */
export interface PartMeans {
  readonly clock: Clock;
  readonly log: Log;
  /** The relay's own name when it started. */
  readonly hostname: string;
  readonly spoolDirectory: string;
  /** A dry run: the part writes nothing to disk, and counts nothing. */
  readonly readOnly: boolean;
  /** The judge of all logins. */
  readonly logins: Logins;
}

/** The ways to other people's hosts. */
export interface Outside {
  readonly resolver: Resolver;
  readonly https: Https;
}

/** The configuration in force, as a part sees it. */
export interface Generation<Sections> {
  readonly sections: Sections;
  readonly outside: Outside;
  /** The relay's own name. */
  readonly hostname: string;
  /** The recipient of the relay's lists and alarms. */
  readonly postmaster: Mailbox;
  readonly configuration: Configuration;
}

export type Protocol = Configuration["listeners"][number]["protocol"];

/** A server in the relay's process, for the listeners of its protocol. */
export interface PartServer {
  readonly protocol: Protocol;
  /** Listens at these doors and at no others. Clients wait until `open`. Returns the ports, in order. */
  listenOnly(doors: readonly Door[]): Promise<readonly number[]>;
  /** Called once, when the spool is open and all parts have begun. */
  open(reception: Reception): void;
  /** Applies the options to new connections. */
  follow(options: ServerOptions): void;
  /** Lets transactions under way end, and cuts them off after `grace` ms. */
  stop(grace: number): Promise<void>;
}

/** The way for mail that the part writes itself, and for mail that it lets wait. */
export interface PartMail {
  readonly outbox: Pick<Outbox, "post" | "write">;
  readonly spool: Pick<
    Spool,
    | "listed"
    | "sendList"
    | "withheld"
    | "releaseWithheld"
    | "releasedWithheld"
    | "hasten"
    | "change"
  >;
  /** The queue for reading. The caller must dispose of it. */
  view(): Promise<QueueView | undefined>;
  /** Transports on hold. A part that puts some on hold does so in `begin`, before mail is attempted. */
  readonly holds: Pick<Holds, "holdTransports" | "rehearse">;
  /** The account that a part rehearses with. Only one part does. */
  readonly rehearsal: Rehearsal;
  /** Call it when a message in the spool is due. */
  wake(): void;
}

/** Services of a part for drivers. */
export interface Offer {
  readonly services: Partial<Pick<Services, "mtaSts" | "tlsSessions">>;
  close?(): Promise<void>;
}

/** What a part does when the relay logs an event. A handler must return at once. */
export type EventHandlers = {
  readonly [Name in EventName]?: (fields: Events[Name]) => void;
};

export interface RunningPart<Sections> {
  /** Called after the event was logged, for each event that the part wants to hear of. */
  readonly hears?: EventHandlers;
  readonly server?: PartServer;
  /** Called once for each `Outside`. `services` are the services of the parts before this one. */
  offer?(outside: Outside, services: Offer["services"]): Offer;
  /** Called when the spool is open, before the first client is served. A part logs its own errors. */
  begin?(generation: Generation<Sections>, mail: PartMail): Promise<void> | void;
  /** Called after a reload: this configuration is in force from now on. */
  follow?(generation: Generation<Sections>): void;
  /**
   * The orders that relayctl may give to the part over the control socket, by their verb. `order` is any JSON value. If
   * one rejects, relayctl gets the error.
   */
  readonly orders?: Readonly<Record<string, (order: unknown) => Promise<object>>>;
  close?(): Promise<void>;
}

/** The things that a part's process has from its start to its end. */
interface ProcessMeans<Sections> {
  readonly clock: Clock;
  readonly log: Log;
  readonly sections: Sections;
  readonly configuration: Configuration;
  readonly hostname: string;
  readonly spoolDirectory: string;
}

/** A part that serves in a process of its own. */
interface ServedPart {
  /** Called when a client has connected to this address. No byte has been read from it yet. */
  connected?(socket: Socket, address: ListenAddress): void;
  /** Lets work under way end, and cuts it off after `grace` ms. */
  close(grace: number): Promise<void>;
}

/**
 * A process of its own for a part that faces other people or does heavy work. `relayctl serve` starts the process, and
 * starts it again after it has died. `relayctl serve PART` runs only this process.
 */
export interface PartProcess<Sections> {
  /** Whether the configuration asks for the process. */
  isWanted(sections: Sections): boolean;
  /** The addresses that it listens on. */
  addresses?(sections: Sections): readonly ListenAddress[];
  /** The directories that it writes to. They are created for the relay's user before root is dropped. */
  directories?(sections: Sections, configuration: Configuration): readonly WrittenDirectory[];
  /** What it uses of the configuration beside its own tables. If that changes, a reload replaces the process. */
  uses?(configuration: Configuration): unknown;
  /** Rejects if the part cannot serve; then its process ends. */
  serve(means: ProcessMeans<Sections>): Promise<ServedPart>;
}

/** Drivers that routers.toml may name, in addition to those in routers/ and transports/. */
interface PartDrivers {
  readonly routers?: readonly RouterDriver[];
  readonly transports?: readonly TransportDriver[];
  /** The lookups that items of lists may name. */
  readonly lookups?: readonly Lookup[];
}

/** The deciding components of a configuration, as in a dry run: they change nothing on disk. */
export interface DryRun {
  readonly gate: Pick<Gate, "isRelayHost">;
  readonly lists: ListsWithRefresh;
  readonly outside: Outside;
  readonly transports: ReadonlyMap<string, Transport>;
  /** Asks the chain of routers about a recipient. */
  readonly route: Route;
  /** The account of a rehearsal, for this dry run alone. */
  readonly rehearsal: Rehearsal;
  close(): Promise<void>;
}

/** The things that relayctl gives to a command of a part. */
export interface CommandMeans {
  /** The configuration that `--config` names. Rejects with CommandError if it is missing (66) or has errors (78). */
  configuration(): Promise<Configuration>;
  /** Throws as the start of the relay would. The caller must close the result. */
  dryRun(configuration: Configuration, log: Log): DryRun;
  /** The queue for reading; undefined if no relay has opened the spool yet. */
  queue(spoolDirectory: string): Promise<QueueView | undefined>;
}

/** A command that gets its configuration from relayctl. */
export interface PartCommand extends Omit<Command, "run"> {
  run(words: readonly string[], given: unknown, means: CommandMeans): Promise<number>;
}

/** Declares a command of a part. `run` gets the flags with their types. */
export function partCommand<Flags>(
  declaration: Omit<PartCommand, "run" | "flags"> & {
    readonly flags: Options<Flags>;
    run(words: readonly string[], given: Flags & Given, means: CommandMeans): Promise<number>;
  },
): PartCommand {
  return declaration;
}

type Tables = Readonly<Record<string, Option<unknown>>>;

export interface Part {
  readonly name: string;
  /** Tables of the configuration file, by their names there. */
  readonly sections: Tables;
  readonly commands: readonly PartCommand[];
  /** Descriptions of first words that several of its commands share. */
  readonly groups?: Readonly<Record<string, string>>;
  /** The part's own events, in addition to those that every room may log. */
  readonly events?: EventTable | readonly EventTable[];
  readonly drivers?: PartDrivers;
  /** Warnings about a configuration that is valid and hardly meant: "FILE: TABLE.KEY: what is to be thought of". */
  warnings?(configuration: Configuration): readonly string[] | Promise<readonly string[]>;
  start?(means: PartMeans): RunningPart<unknown>;
  readonly process?: PartProcess<unknown>;
}

/** Declares a part. `start` and `process` get its sections with their types. */
export function part<Own extends Tables>(declaration: {
  readonly name: string;
  readonly sections?: Own;
  readonly commands?: readonly PartCommand[];
  readonly groups?: Readonly<Record<string, string>>;
  readonly events?: EventTable | readonly EventTable[];
  readonly drivers?: PartDrivers;
  warnings?(configuration: Configuration): readonly string[] | Promise<readonly string[]>;
  start?(means: PartMeans): RunningPart<FieldValues<Own>>;
  readonly process?: PartProcess<FieldValues<Own>>;
}): Part {
  return { sections: {}, commands: [], ...declaration };
}
