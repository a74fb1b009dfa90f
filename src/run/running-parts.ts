// The parts of a running relay, or of a dry run. They are started together, told of each new configuration, and closed
// together.

import { postmasterOf } from "../config/configuration.ts";
import type { Configuration } from "../config/configuration.ts";
import type { EventName, Events } from "../observe/events.ts";
import { describeError, type Log } from "../observe/log.ts";
import { parts } from "../parts.ts";
import type {
  EventHandlers,
  Generation,
  Offer,
  Outside,
  Part,
  PartMail,
  PartMeans,
  PartServer,
  RunningPart,
} from "../parts/part.ts";
import { Logins } from "../users/logins.ts";

export class RunningParts {
  readonly #running: readonly RunningPart<unknown>[];
  /** By "/PART/VERB". */
  readonly #orders = new Map<string, (order: unknown) => Promise<object>>();
  readonly #hears: readonly EventHandlers[];

  constructor(means: Omit<PartMeans, "logins">, table: readonly Part[] = parts) {
    const logins = new Logins(means);
    this.#running = table.flatMap((part) => {
      const running = part.start?.({ ...means, logins });
      for (const [verb, carryOut] of Object.entries(running?.orders ?? {}))
        this.#orders.set(`/${part.name}/${verb}`, carryOut);
      return running ?? [];
    });
    this.#hears = this.#running.flatMap(({ hears }) => hears ?? []);
  }

  /** Calls the handlers of the event. */
  hear<Name extends EventName>(name: Name, fields: Events[Name]): void {
    for (const handlers of this.#hears) handlers[name]?.(fields);
  }

  /** The services that all parts offer to users of this `outside`. The caller must close them. */
  offer(outside: Outside): Required<Offer> {
    let services: Offer["services"] = {};
    const offers: Offer[] = [];
    for (const running of this.#running) {
      const offer = running.offer?.(outside, services);
      if (offer === undefined) continue;
      services = { ...services, ...offer.services };
      offers.push(offer);
    }
    return {
      services,
      async close() {
        await Promise.all(offers.map(async (offer) => offer.close?.()));
      },
    };
  }

  /** Called when the spool is open and before any client is served. */
  async begin(configuration: Configuration, outside: Outside, mail: PartMail): Promise<void> {
    const generation = generationOf(configuration, outside);
    await Promise.all(this.#running.map(async (one) => one.begin?.(generation, mail)));
  }

  follow(configuration: Configuration, outside: Outside): void {
    const generation = generationOf(configuration, outside);
    for (const one of this.#running) one.follow?.(generation);
  }

  /** The servers of parts in this process. */
  get servers(): readonly PartServer[] {
    return this.#running.flatMap(({ server }) => server ?? []);
  }

  /** The order with this path, "/PART/VERB"; undefined if no part knows it. */
  order(path: string): ((order: unknown) => Promise<object>) | undefined {
    return this.#orders.get(path);
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.map(async (one) => one.close?.()));
  }
}

/** The log, whose events the parts hear too. `running` gives undefined until they are started. */
export function heardLog(log: Log, running: () => RunningParts | undefined): Log {
  return {
    event(name, fields) {
      log.event(name, fields);
      try {
        running()?.hear(name, fields);
      } catch (error) {
        log.event("relay.error", { where: `a part at ${name}`, error: describeError(error) });
      }
    },
  };
}

function generationOf(configuration: Configuration, outside: Outside): Generation<unknown> {
  const { relay, parts: sections } = configuration;
  const postmaster = postmasterOf(configuration);
  return { sections, configuration, outside, hostname: relay.hostname, postmaster };
}
