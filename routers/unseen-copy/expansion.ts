// The members of a group, from a lookup of `group@domain: member@domain, member@domain`. Groups in groups are followed.
//
// Invariants:
// - Each address is looked up once, so groups that contain each other end.
// - The number of members, and of texts that are read to find them, is limited. If a group has more, the log says so.
// - If one lookup has no answer, the expansion has none: no member loses a copy because a file was away for a moment.

import type { Services } from "../../src/contract/contract.ts";
import { parseMailbox } from "../../src/mail/address.ts";
import type { Mailbox } from "../../src/mail/envelope.ts";
import type { MaybePromise } from "../../src/base/maybe-promise.ts";

/** Members that get a copy. */
const MEMBERS_MAX = 5000;
/** Texts between commas that are read for one expansion: groups in groups repeat their members. */
const TEXTS_MAX = 20_000;
/** Milliseconds after which a warning is repeated. */
const HOUR = 3_600_000;

export interface Expansion {
  /** Members of all groups in it; the groups themselves are members too. */
  readonly members: readonly Mailbox[];
  /** Why they are unknown. */
  readonly error?: string;
}

const NO_GROUP: Expansion = { members: [] };

type ExpansionServices = Pick<Services, "lists" | "log" | "clock">;

export class GroupExpansion {
  readonly #item: string;
  readonly #services: ExpansionServices;
  readonly #source: ReturnType<Services["lists"]["lookup"]>;
  /** When the last warning was logged, by the monotonic clock. */
  #warnedAt: number | undefined;

  constructor(item: string, services: ExpansionServices) {
    this.#item = item;
    this.#services = services;
    this.#source = services.lists.lookup(item);
  }

  /** `address` is canonical. An address that is not a group has no members. Never rejects. */
  expand(address: string): MaybePromise<Expansion> {
    const found = this.#source.find([address]);
    const isPlain =
      !(found instanceof Promise) && found.kind === "none" && found.doubt === undefined;
    return isPlain ? NO_GROUP : this.#follow(address);
  }

  async #follow(group: string): Promise<Expansion> {
    const members = new Map<string, Mailbox>();
    const seen = new Set([group]);
    let texts = 0;
    for (const address of seen) {
      const found = await this.#source.find([address]);
      if (found.kind === "error") return { members: [], error: `${this.#item}: ${found.error}` };
      if (found.kind === "none") {
        if (found.doubt === undefined) continue;
        return { members: [], error: `${this.#item}: it ${found.doubt}` };
      }
      for (const written of found.value.split(",", TEXTS_MAX - texts)) {
        texts += 1;
        const mailbox = parseMailbox(written.trim());
        if (mailbox === undefined) continue;
        const member = `${mailbox.localPart.toLowerCase()}@${mailbox.domain}`;
        if (seen.has(member)) continue;
        if (members.size >= MEMBERS_MAX) return this.#cut(group, members);
        seen.add(member);
        members.set(member, mailbox);
      }
      if (texts >= TEXTS_MAX) return this.#cut(group, members);
    }
    return { members: [...members.values()] };
  }

  #cut(group: string, members: ReadonlyMap<string, Mailbox>): Expansion {
    const { clock, log } = this.#services;
    const now = clock.monotonic();
    if (this.#warnedAt === undefined || now - this.#warnedAt >= HOUR) {
      this.#warnedAt = now;
      const what = `${group} has more members than ${members.size}: the others get no copy of its mail`;
      log.event("relay.warning", { what });
    }
    return { members: [...members.values()] };
  }
}
