// The processes of all parts that have one. They are started, told of a reload and ended with the relay.
//
// Invariant: every address is bound before root is dropped, and stays bound while it is configured. So a new process
// can serve the port of one that has died.
//
// Doors: front-door.ts.

import type { Configuration } from "../../config/configuration.ts";
import type { Part } from "../../parts/part.ts";
import { FrontDoor } from "./front-door.ts";
import { type Program, Supervisor, type SupervisorMeans } from "./supervisor.ts";

export type { Program } from "./supervisor.ts";

interface ProcessesMeans extends SupervisorMeans {
  /** The program to run for a part. */
  readonly program?: ((part: string) => Program) | undefined;
}

interface Running {
  readonly supervisor: Supervisor;
  /** The part's tables and what else it uses, as JSON. If they change, the process is replaced. */
  readonly tables: string;
}

export class PartProcesses {
  readonly #parts: readonly Part[];
  readonly #means: ProcessesMeans;
  /** Keyed by host and port. */
  readonly #doors = new Map<string, FrontDoor>();
  readonly #running = new Map<string, Running>();

  constructor(parts: readonly Part[], means: ProcessesMeans) {
    this.#parts = parts;
    this.#means = means;
  }

  /** Addresses that are bound now: "127.0.0.1:993", with the port that is actually bound. */
  get addresses(): readonly string[] {
    return [...this.#doors.values()].map(({ address: { host }, port }) =>
      host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`,
    );
  }

  /** Binds the configured addresses that are not bound yet. Rejects when that fails, and then nothing has changed. */
  async bind(configuration: Configuration): Promise<void> {
    const wanted = this.#wanted(configuration).flatMap(({ addresses }) => addresses);
    const opened: FrontDoor[] = [];
    try {
      for (const address of wanted) {
        if (this.#doors.has(address.written)) continue;
        opened.push(await FrontDoor.open(address, this.#means.clock));
      }
    } catch (error) {
      for (const door of opened) door.close();
      throw error;
    }
    for (const door of opened) this.#doors.set(door.address.written, door);
  }

  /**
   * Starts the configured processes, ends the others, and replaces those whose tables have changed. All configured
   * addresses must be bound.
   */
  async follow(configuration: Configuration, grace: number): Promise<void> {
    const wanted = new Map(this.#wanted(configuration).map((one) => [one.name, one]));
    const ended = [...this.#running].filter(
      ([name, { tables }]) => wanted.get(name)?.tables !== tables,
    );
    for (const [name] of ended) this.#running.delete(name);
    await Promise.all(ended.map(([, { supervisor }]) => supervisor.stop(grace)));
    const bound = new Set(
      [...wanted.values()].flatMap(({ addresses }) => addresses).map(({ written }) => written),
    );
    for (const [written, door] of this.#doors) {
      if (bound.has(written)) continue;
      this.#doors.delete(written);
      door.close();
    }
    for (const [name, { tables, addresses, program }] of wanted) {
      if (this.#running.has(name)) continue;
      const doors = addresses.flatMap(({ written }) => this.#doors.get(written) ?? []);
      const supervisor = new Supervisor(name, program, doors, this.#means);
      this.#running.set(name, { supervisor, tables });
      supervisor.start();
    }
  }

  /** Ends all processes. They have `grace` ms to end by themselves and are killed after that. */
  async close(grace: number): Promise<void> {
    const running = [...this.#running.values()];
    this.#running.clear();
    await Promise.all(running.map(({ supervisor }) => supervisor.stop(grace)));
    for (const door of this.#doors.values()) door.close();
    this.#doors.clear();
  }

  #wanted(configuration: Configuration) {
    const { parts: sections } = configuration;
    const { program } = this.#means;
    if (program === undefined) return [];
    return this.#parts.flatMap(({ name, process, sections: own }) => {
      if (process?.isWanted(sections) !== true) return [];
      const uses = process.uses?.(configuration);
      const tables = JSON.stringify([...Object.keys(own).map((table) => sections[table]), uses]);
      const addresses = process.addresses?.(sections) ?? [];
      return [{ name, tables, addresses, program: program(name) }];
    });
  }
}
