// What the generations of one relay have in common: each lsearch file, and what is known from the DNS and from policy
// hosts as long as it is asked for in the same way. A reload neither forgets it nor holds it in memory a second time.

import type { Clock } from "../base/clock.ts";
import type { Configuration } from "../config/configuration.ts";
import { createResolver } from "../dns/create-resolver.ts";
import type { Resolver } from "../dns/dns.ts";
import { type Https } from "../base/net/https.ts";
import type { BeliefParts } from "../lists/belief.ts";
import { createLists, createSpfLists, ListFiles } from "../lists/create-lists.ts";
import type { SpfLists } from "../lists/spf-lists.ts";
import type { Log } from "../observe/log.ts";
import { MtaSts } from "../parts/mta-sts/mta-sts.ts";
import { Room } from "../base/room.ts";
import { type Closable, Shared } from "../base/shared.ts";
import { httpsOf } from "../config/https.ts";
import type { TlsSessions } from "../tls/sessions.ts";

interface CommonParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly https?: Https;
  readonly tlsSessions?: TlsSessions;
  /** In the place of the servers of [dns]. */
  readonly resolver?: Resolver;
}

/** What comes from outside. */
interface Outside {
  readonly resolver: Resolver;
  readonly spf: SpfLists;
  readonly mtaSts: MtaSts;
  /** To be called once, when the generation is closed. */
  readonly leave: () => Promise<void>;
}

interface Answers extends Closable {
  readonly resolver: Resolver;
  readonly spf: SpfLists;
}

interface Policies extends Closable {
  readonly mtaSts: MtaSts;
}

type Definitions = Pick<Configuration, "dns" | "https" | "hosts">;

export class Common {
  readonly files: ListFiles;
  readonly room: Room;
  readonly #parts: CommonParts;
  readonly #spoolDirectory: string;
  readonly #readOnly: boolean;
  /** By [dns]. */
  readonly #answers = new Shared<Answers>();
  /** By [dns], [https] and the host lists that this may name. */
  readonly #policies = new Shared<Policies>();

  /** `readOnly` is a dry run: nothing on disk is touched. */
  constructor({ relay }: Pick<Configuration, "relay">, parts: CommonParts, readOnly: boolean) {
    this.#parts = parts;
    this.#spoolDirectory = relay.spool_directory;
    this.#readOnly = readOnly;
    this.room = new Room(parts.clock);
    this.files = new ListFiles(this.#listParts);
  }

  take(configuration: Definitions): Outside {
    const { dns, https, hosts } = configuration;
    const answersKey = JSON.stringify(dns);
    const policiesKey = JSON.stringify([dns, https, ...hosts]);
    const answers = this.#answers.take(answersKey, () => this.#createAnswers(dns));
    const { mtaSts } = this.#policies.take(policiesKey, () =>
      this.#createPolicies(configuration, answers),
    );
    const { resolver, spf } = answers;
    return {
      resolver,
      spf,
      mtaSts,
      leave: async () => {
        await this.#policies.leave(policiesKey);
        await this.#answers.leave(answersKey);
      },
    };
  }

  get #listParts(): BeliefParts {
    const { clock, log } = this.#parts;
    return { clock, log, stateDirectory: this.#spoolDirectory, readOnly: this.#readOnly };
  }

  #createAnswers({ servers, dnssec }: Definitions["dns"]): Answers {
    const { clock } = this.#parts;
    const given = servers === undefined ? {} : { servers };
    const resolver = this.#parts.resolver ?? createResolver({ clock, dnssec, ...given });
    const spf = createSpfLists({ ...this.#listParts, resolver });
    return {
      resolver,
      spf,
      async close() {
        await spf.close();
        await resolver.close();
      },
    };
  }

  #createPolicies({ https, hosts }: Definitions, { resolver, spf }: Answers): Policies {
    // Lists of its own, because it outlives the generation that makes it.
    const lists = createLists({
      ...this.#listParts,
      domains: {},
      hosts: Object.fromEntries(hosts),
      configDirectory: "",
      resolver,
      files: this.files,
      spf,
    });
    const reached = this.#parts.https ?? httpsOf(https, lists);
    const mtaSts = new MtaSts({
      ...this.#parts,
      https: reached,
      resolver,
      spoolDirectory: this.#spoolDirectory,
      readOnly: this.#readOnly,
    });
    return {
      mtaSts,
      async close() {
        await mtaSts.close();
        await lists.close();
      },
    };
  }
}
