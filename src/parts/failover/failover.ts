// Fail-over in the running relay: carries out the postmaster's orders, holds the transports, and releases what has
// waited.
//
// Invariants:
// - A state is on disk before it takes effect, and in force from the start of the relay on, before mail is attempted.
// - Refused mail that has waited is reported in one list, in the transaction that takes it off the list.

import type { Clock, Timer } from "../../base/clock.ts";
import { given } from "../../base/given.ts";
import { describeError } from "../../observe/log.ts";
import type { HeldTransports } from "../../queue/holds.ts";
import type { Withheld } from "../../spool/spool.ts";
import type { Generation, PartMail, PartMeans } from "../part.ts";
import type { FailOverSettings } from "./drill/relay-side.ts";
import { refusedDraft } from "./letter.ts";
import { LocalCopies } from "./local-copies.ts";
import type { FailOverOptions } from "./options.ts";
import { Release } from "./release.ts";
import { type FailOverState, readState, writeState } from "./state.ts";

export interface Sections {
  readonly failover: FailOverOptions | undefined;
}

/** The result of an order. `changed` is false if there was nothing to do. */
export interface Carried {
  readonly changed: boolean;
  readonly state?: FailOverState;
}

export interface Kept extends Carried {
  readonly settled: number;
  readonly waiting: readonly { readonly recipient: string; readonly messages: number }[];
}

const HOUR = 3_600_000;
const ONE_A_SECOND = { count: 1, window: 1000 };
/** Messages in one transaction, so that a commit of mail that arrives meanwhile waits no longer than for that. */
const AT_ONCE = 500;
/** Milliseconds between two looks whether all mail was looked at. */
const PAUSE = 100;
const HOLDS: Readonly<Record<FailOverState["mode"], Pick<HeldTransports, "mail" | "why">>> = {
  on: { mail: "all", why: "fail-over is on" },
  "keep-local": { mail: "all", why: "fail-over is on, and there is no whole copy" },
  releasing: { mail: "waiting", why: "fail-over has ended, and others are released first" },
};

export class FailOver {
  readonly #means: PartMeans;
  readonly #mail: PartMail;
  readonly #clock: Clock;
  readonly #copies: LocalCopies;
  #generation: Generation<Sections>;
  #state: FailOverState | undefined;
  #release: Release | undefined;
  #timer: Timer | undefined;
  #isClosed = false;
  /** The order that is carried out, and what follows it. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(means: PartMeans, generation: Generation<Sections>, mail: PartMail) {
    this.#means = means;
    this.#mail = mail;
    this.#clock = means.clock;
    this.#generation = generation;
    this.#copies = new LocalCopies(means.log);
  }

  /** Puts the state of an earlier run in force. */
  async begin(): Promise<void> {
    this.#state = await readState(this.#means.spoolDirectory);
    this.#apply();
    this.#lookLater();
  }

  /** The settings that a drill rehearses with. */
  get settings(): FailOverSettings {
    const { failover } = this.#generation.sections;
    return {
      mode: this.#state?.mode ?? "off",
      transports: new Set(failover?.transports),
      rate: failover?.release_rate ?? ONE_A_SECOND,
    };
  }

  follow(generation: Generation<Sections>): void {
    this.#generation = generation;
    const rate = generation.sections.failover?.release_rate;
    if (rate !== undefined) this.#release?.follow(rate);
    this.#apply();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#release?.stop();
    await this.#last;
  }

  /** From now on, mail waits. */
  on(why: string | undefined): Promise<Carried> {
    return this.#inTurn(async () => {
      if (this.#generation.sections.failover === undefined)
        throw new Error("the running relay has no [failover]: reload its configuration first");
      if (this.#state?.mode === "on") return { changed: false, state: this.#state };
      const state = { mode: "on", since: this.#clock.now(), ...given({ why }) } as const;
      await this.#enter(state);
      this.#means.log.event("failover.on", given({ why }));
      await this.#hastenAll();
      return { changed: true, state };
    });
  }

  /** From now on, mail that waits is released. `changed` is false if fail-over was off. */
  off(): Promise<Carried> {
    return this.#inTurn(async () => {
      const { since = 0, why } = this.#state ?? {};
      if (this.#state === undefined) return { changed: false };
      if (this.#state.mode === "releasing") return { changed: true, state: this.#state };
      const state = { mode: "releasing", since, ...given({ why }) } as const;
      await this.#enter(state);
      this.#means.log.event("failover.ended", {});
      return { changed: true, state };
    });
  }

  /** From now on, mail is settled by its copies. Resolves when all that waits was looked at. */
  keepLocal(): Promise<Kept> {
    return this.#inTurn(async () => {
      const { since = 0, mode, why } = this.#state ?? {};
      if (mode === undefined || mode === "releasing")
        return { changed: false, settled: 0, waiting: [] };
      const state = { mode: "keep-local", since, ...given({ why }) } as const;
      await this.#enter(state);
      const before = await this.#lookAtAll();
      const waiting = await this.#allWaiting();
      const settled = Math.max(0, before - waiting.length);
      this.#means.log.event("failover.kept", { settled, waiting: waiting.length });
      return { changed: true, state, settled, waiting: byRecipient(waiting) };
    });
  }

  #inTurn<T>(carryOut: () => Promise<T>): Promise<T> {
    const carried = this.#last.then(carryOut);
    this.#last = carried.catch(() => undefined);
    return carried;
  }

  async #enter(state: FailOverState | undefined): Promise<void> {
    await writeState(this.#means.spoolDirectory, state);
    this.#state = state;
    this.#apply();
  }

  #apply(): void {
    const state = this.#state;
    const { failover } = this.#generation.sections;
    const { log } = this.#means;
    if (state?.mode !== "releasing") {
      void this.#release?.stop();
      this.#release = undefined;
    }
    if (state === undefined) return this.#mail.holds.holdTransports();
    if (failover === undefined) {
      const what = "fail-over is on, and routers.toml has no [failover]: mail does not wait";
      log.event("relay.warning", { what });
    }
    this.#mail.holds.holdTransports({
      names: new Set(failover?.transports),
      ...HOLDS[state.mode],
      ...(state.mode === "keep-local" ? { instead: this.#copies } : {}),
    });
    if (state.mode === "releasing" && !this.#isClosed) this.#release ??= this.#begunRelease();
  }

  #begunRelease(): Release {
    const { clock, log } = this.#means;
    const { spool } = this.#mail;
    const release = new Release(this.settings.rate, {
      clock,
      spool,
      wake: () => this.#mail.wake(),
      onOver: (released) => this.#over(release, released),
      onError: (error) =>
        log.event("relay.error", { where: "failover", error: describeError(error) }),
    });
    release.start();
    return release;
  }

  /** The list goes first: after a crash in between there is nothing left to release, and no second list. */
  async #over(release: Release, recipients: number): Promise<void> {
    if (this.#release !== release) return;
    const refused = await this.#sendList();
    await writeState(this.#means.spoolDirectory, undefined);
    this.#release = undefined;
    this.#state = undefined;
    this.#apply();
    this.#means.log.event("failover.released", { recipients, refused });
  }

  /** Makes mail due that waits for a retry time, so that it waits for the release from now on. */
  async #hastenAll(): Promise<void> {
    const { spool } = this.#mail;
    let last: string | undefined;
    do {
      last = await spool.hasten(AT_ONCE, last);
      this.#mail.wake();
    } while (last !== undefined);
  }

  /** Makes all mail that waits due. Resolves to the number of recipients, when each was attempted. */
  async #lookAtAll(): Promise<number> {
    const { spool } = this.#mail;
    const waiting = await this.#allWaiting();
    for (let from = 0; from < waiting.length; from += AT_ONCE) {
      await spool.releaseWithheld(waiting.slice(from, from + AT_ONCE));
      this.#mail.wake();
    }
    while (!this.#isClosed && (await spool.releasedWithheld(1)).untried.length > 0)
      await new Promise<void>((resolve) => this.#clock.after(PAUSE, resolve));
    return waiting.length;
  }

  async #allWaiting(): Promise<readonly Withheld[]> {
    const all: Withheld[] = [];
    for (let page = await this.#page(all); page.length > 0; page = await this.#page(all))
      all.push(...page);
    return all;
  }

  #page(all: readonly Withheld[]): Promise<readonly Withheld[]> {
    return this.#mail.spool.withheld(AT_ONCE, all.at(-1));
  }

  /** Looks once an hour for refused mail that was not reported with a release: it was tried for longer. */
  #lookLater(): void {
    this.#timer = this.#clock.after(HOUR, () => {
      this.#lookLater();
      if (this.#state?.mode !== "on" && this.#state?.mode !== "releasing")
        void this.#inTurn(() => this.#sendList()).catch((error: unknown) =>
          this.#means.log.event("relay.error", { where: "failover", error: describeError(error) }),
        );
    });
  }

  /** Sends the list of refused mail to the postmaster, if it has entries. Resolves to their number. */
  async #sendList(): Promise<number> {
    const { spool, outbox } = this.#mail;
    const { hostname, postmaster: to } = this.#generation;
    const list = await spool.listed(["withheld"]);
    const { length } = list.entries;
    if (length === 0) return 0;
    const message = await outbox.write(refusedDraft(hostname, to, list), {
      sender: null,
      now: this.#clock.now(),
    });
    await spool.sendList(message, list);
    const { id } = message.envelope;
    this.#means.log.event("failover.list_sent", { id, to: to.address, entries: length });
    this.#mail.wake();
    return length;
  }
}

function byRecipient(waiting: readonly Withheld[]): Kept["waiting"] {
  const groups = Map.groupBy(waiting, ({ address }) => address.toLowerCase());
  return Array.from(groups, ([recipient, { length: messages }]) => ({ recipient, messages }));
}
