// Shared by the generations of one relay: the sources of lists, and the answers of the DNS and of policy hosts while they
// are asked for in the same way. So a reload neither forgets them nor holds them in memory twice.

import { given } from "../base/given.ts";
import type { Clock } from "../base/clock.ts";
import type { Configuration } from "../config/configuration.ts";
import { createResolver } from "../dns/create-resolver.ts";
import type { Resolver } from "../dns/dns.ts";
import { type Https } from "../base/net/https.ts";
import { createLists } from "../lists/create-lists.ts";
import { HostSources } from "../lists/host-sources.ts";
import type { NameServices } from "../lists/lookup.ts";
import { NameSources } from "../lists/name-sources.ts";
import type { Log } from "../observe/log.ts";
import type { Offer, Outside } from "../parts/part.ts";
import { DeliveryRoom, type Room } from "../base/room.ts";
import { type Closable, Shared } from "../base/shared.ts";
import { httpsOf } from "./https.ts";
import { Rehearsal } from "../route/rehearsal.ts";
import { RunningParts } from "./running-parts.ts";

interface CommonMeans {
  readonly clock: Clock;
  readonly log: Log;
  /** The way to policy hosts, if not that of [https]. */
  readonly https?: Https;
  /** Replaces the servers of [dns]. */
  readonly resolver?: Resolver;
}

/** The services from outside, and those that the parts make from them for drivers. */
interface Taken {
  readonly outside: Outside;
  readonly hostSources: HostSources;
  readonly services: Offer["services"];
  /** Must be called once, when the generation is closed. */
  readonly leave: () => Promise<void>;
}

interface Answers extends Closable {
  readonly resolver: Resolver;
  readonly hostSources: HostSources;
}

interface Offered extends Closable {
  readonly outside: Outside;
  readonly services: Offer["services"];
}

type Definitions = Pick<Configuration, "dns" | "https" | "hosts" | "lookups">;

export class Common {
  readonly nameSources: NameSources;
  readonly room: Room;
  readonly rehearsal = new Rehearsal();
  /** The parts of this relay. */
  readonly parts: RunningParts;
  readonly #means: CommonMeans;
  readonly #spoolDirectory: string;
  readonly #readOnly: boolean;
  /** Keyed by [dns]. */
  readonly #answers = new Shared<Answers>();
  /** Keyed by [dns], [https] and the host lists that [https] may name. */
  readonly #offered = new Shared<Offered>();

  /** `readOnly` means a dry run: nothing on disk is changed. */
  constructor({ relay }: Pick<Configuration, "relay">, means: CommonMeans, readOnly: boolean) {
    const { hostname, spool_directory: spoolDirectory } = relay;
    this.#means = means;
    this.#spoolDirectory = spoolDirectory;
    this.#readOnly = readOnly;
    this.parts = new RunningParts({ ...means, hostname, spoolDirectory, readOnly });
    this.room = new DeliveryRoom(means.clock);
    this.nameSources = new NameSources(this.#listParts);
  }

  take(configuration: Definitions): Taken {
    const { dns, https, hosts } = configuration;
    const answersKey = JSON.stringify(dns);
    const offeredKey = JSON.stringify([dns, https, ...hosts]);
    const answers = this.#answers.take(answersKey, () => this.#createAnswers(dns));
    const { outside, services } = this.#offered.take(offeredKey, () =>
      this.#offer(configuration, answers),
    );
    return {
      outside,
      hostSources: answers.hostSources,
      services,
      leave: async () => {
        await this.#offered.leave(offeredKey);
        await this.#answers.leave(answersKey);
      },
    };
  }

  get #listParts(): NameServices {
    const { clock, log } = this.#means;
    return { clock, log, stateDirectory: this.#spoolDirectory, readOnly: this.#readOnly };
  }

  #createAnswers({ servers, dnssec }: Definitions["dns"]): Answers {
    const { clock } = this.#means;
    const resolver =
      this.#means.resolver ?? createResolver({ clock, dnssec, ...given({ servers }) });
    const hostSources = new HostSources({ ...this.#listParts, resolver });
    return {
      resolver,
      hostSources,
      async close() {
        await hostSources.close();
        await resolver.close();
      },
    };
  }

  #offer({ https, hosts, lookups }: Definitions, { resolver, hostSources }: Answers): Offered {
    // These lists are separate, because they outlive the generation that creates them.
    const lists = createLists({
      ...this.#listParts,
      lookups,
      domains: {},
      hosts: Object.fromEntries(hosts),
      configDirectory: "",
      resolver,
      nameSources: this.nameSources,
      hostSources,
    });
    const outside = { resolver, https: this.#means.https ?? httpsOf(https, lists) };
    const offer = this.parts.offer(outside);
    return {
      outside,
      services: offer.services,
      async close() {
        await offer.close();
        await lists.close();
      },
    };
  }
}
