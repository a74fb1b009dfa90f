// The drill in the running relay: it admits the drill's account, holds and releases its mail, and sees what becomes of
// it. Mail of users is never held, released or looked at.
//
// Invariants:
// - The account exists for a limited time, in memory only. A drill that is killed is ended here when the time is over,
//   and one whose relay was killed at the next start, before mail is attempted.
// - When it ends, no mail of the account is left in the queue. So none bounces, and none is on the postmaster's list.

import type { Timer } from "../../../base/clock.ts";
import { parseMailbox } from "../../../mail/address.ts";
import type { Mailbox } from "../../../mail/envelope.ts";
import { describeError } from "../../../observe/log.ts";
import type { Spool, Withheld } from "../../../spool/spool.ts";
import type { EventHandlers, PartMail, PartMeans } from "../../part.ts";
import { Release, type ReleaseMeans, type ReleaseRate } from "../release.ts";
import type { FailOverState } from "../state.ts";
import { readRecord, removeTraces } from "./record.ts";

/** The state of fail-over, which the drill never changes. */
type FailOverMode = FailOverState["mode"] | "off";

export interface FailOverSettings {
  readonly mode: FailOverMode;
  readonly transports: ReadonlySet<string>;
  readonly rate: ReleaseRate;
}

/** What the relay knows of a message of the drill. */
export interface DrillMessage {
  readonly id: string;
  /** It waits for the release of a transport. */
  readonly waits: boolean;
  readonly copies: number;
  /** What has become of the mail itself, and the reply. */
  readonly answer?: { readonly kind: "done" | "deferred" | "failed"; readonly status: string };
}

export interface DrillView {
  readonly mode: FailOverMode;
  readonly account: boolean;
  readonly messages: readonly DrillMessage[];
}

/** Milliseconds after which a drill counts as killed: its command takes at most 90 s. */
const TIME_MAX = 100_000;
/** Attempts to remove mail that is under attempt, and the milliseconds between two. */
const REMOVALS_MAX = 100;
const PAUSE = 100;

type Seen = Pick<DrillMessage, "answer"> & { copies: number };

export class DrillInRelay {
  readonly #means: PartMeans;
  readonly #mail: PartMail;
  readonly #settings: () => FailOverSettings;
  #account: Mailbox | undefined;
  #release: Release | undefined;
  #timer: Timer | undefined;
  readonly #seen = new Map<string, Seen>();

  constructor(means: PartMeans, mail: PartMail, settings: () => FailOverSettings) {
    this.#means = means;
    this.#mail = mail;
    this.#settings = settings;
  }

  /** The events about the drill's mail. */
  readonly hears: EventHandlers = {
    "message.accepted": ({ id, user }) => {
      if (user !== undefined && user === this.#account?.address) this.#seen.set(id, { copies: 0 });
    },
    "delivery.done": (fields) => this.#hear("done", fields),
    "delivery.deferred": (fields) => this.#hear("deferred", fields),
    "delivery.failed": (fields) => this.#hear("failed", fields),
  };

  #hear(
    kind: "done" | "deferred" | "failed",
    { id, unseen, status }: { id: string; unseen?: boolean | undefined; status: string },
  ): void {
    const seen = this.#seen.get(id);
    if (seen === undefined) return;
    if (unseen !== true) this.#seen.set(id, { ...seen, answer: { kind, status } });
    else if (kind === "done") seen.copies++;
  }

  /** Removes what a drill has left whose relay was killed. Call it before mail is attempted. */
  async start(): Promise<void> {
    const record = await this.#record();
    if (record === undefined) return;
    const account = parseMailbox(record.address);
    if (account !== undefined) await this.#removeMail(account);
    await this.#removeTraces("the relay was stopped during the drill");
  }

  async #record() {
    try {
      return await readRecord(this.#means.spoolDirectory);
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  /** Admits the account. */
  begin(address: string): { readonly begun: boolean } {
    const account = parseMailbox(address);
    if (account === undefined) throw new Error("no address");
    if (this.#account !== undefined) return { begun: false };
    this.#account = account;
    this.#seen.clear();
    this.#mail.rehearsal.begin(account);
    this.#means.log.event("failover.drill_begun", { account: address });
    this.#timer = this.#means.clock.after(TIME_MAX, () => void this.#expire());
    return { begun: true };
  }

  /** From now on the drill's mail waits. */
  on(): object {
    if (this.#account === undefined) throw new Error("no drill is under way");
    const names = this.#settings().transports;
    this.#mail.holds.rehearse({ names, mail: "all", why: "a drill of fail-over is under way" });
    return {};
  }

  /** From now on the drill's mail is released. */
  off(): object {
    const { mode, transports: names, rate } = this.#settings();
    if (this.#account === undefined) throw new Error("no drill is under way");
    if (mode !== "off") return {};
    this.#mail.holds.rehearse({ names, mail: "waiting", why: "a drill of fail-over ends" });
    this.#release ??= new Release(rate, {
      clock: this.#means.clock,
      spool: this.#ownSpool(),
      wake: () => this.#mail.wake(),
      onOver: () => Promise.resolve(),
      onError: (error) => this.#fail(error),
    });
    this.#release.start();
    return {};
  }

  /** The spool, with only the drill's mail in it: fail-over itself may begin meanwhile. */
  #ownSpool(): ReleaseMeans["spool"] {
    const { spool } = this.#mail;
    return {
      withheld: async (_, after) => {
        if (after !== undefined) return [];
        const own = await Promise.all(Array.from(this.#seen.keys(), (id) => this.#withheld(id)));
        return own.filter((one) => one !== undefined);
      },
      releaseWithheld: (which, forced) => spool.releaseWithheld(which, forced),
      releasedWithheld: (most) => spool.releasedWithheld(most),
    };
  }

  async look(): Promise<DrillView> {
    const messages = Array.from(this.#seen, async ([id, { copies, answer }]) => ({
      id,
      copies,
      ...(answer === undefined ? {} : { answer }),
      waits: (await this.#withheld(id)) !== undefined,
    }));
    const { mode } = this.#settings();
    const account = this.#account !== undefined;
    return { mode, account, messages: await Promise.all(messages) };
  }

  async #withheld(id: string): Promise<Withheld | undefined> {
    const [first] = await this.#mail.spool.withheld(1, { id, position: -1 });
    return first?.id === id ? first : undefined;
  }

  /** Removes the drill's mail from the queue, and then the account. */
  async end(): Promise<object> {
    const account = this.#account;
    if (account === undefined) return {};
    await this.#removeMail(account);
    this.#timer?.cancel();
    await this.#release?.stop();
    this.#release = undefined;
    this.#mail.holds.rehearse();
    this.#mail.rehearsal.end();
    this.#account = undefined;
    await this.#releaseLate();
    this.#means.log.event("failover.drill_ended", { account: account.address });
    return {};
  }

  close(): Promise<void> {
    this.#timer?.cancel();
    return this.#release?.stop() ?? Promise.resolve();
  }

  async #expire(): Promise<void> {
    try {
      await this.end();
    } catch (error) {
      this.#timer = this.#means.clock.after(TIME_MAX, () => void this.#expire());
      return this.#fail(error);
    }
    await this.#removeTraces("the drill did not end itself");
  }

  /** Never rejects. What stays is removed by the next drill. */
  async #removeTraces(why: string): Promise<void> {
    const { spoolDirectory, log } = this.#means;
    const record = await this.#record();
    if (record === undefined) return;
    try {
      await removeTraces(spoolDirectory, record);
    } catch (error) {
      const what = `traces of a drill are left, which the next drill removes: ${describeError(error)}`;
      log.event("relay.warning", { what });
      return;
    }
    log.event("failover.drill_removed", { account: record.address, why });
  }

  async #removeMail(account: Mailbox): Promise<void> {
    for (let tried = 0; tried < REMOVALS_MAX; tried++) {
      const ids = await this.#idsOf(account);
      if (ids.length === 0) return;
      const changes = await this.#mail.spool.change("remove", ids);
      const done = changes.filter(({ result }) => result === "done").map(({ id }) => id);
      if (done.length > 0) this.#means.log.event("queue.changed", { action: "remove", ids: done });
      if (changes.every(({ result }) => result !== "active")) continue;
      await new Promise<void>((resolve) => this.#means.clock.after(PAUSE, resolve));
    }
    throw new Error(`mail of ${account.address} is still under attempt`);
  }

  /** The messages from the account to itself. */
  async #idsOf({ domain, localPart }: Mailbox): Promise<readonly string[]> {
    await using view = await this.#mail.view();
    const own = { domain, localPart };
    const ids: string[] = [];
    for await (const page of view?.ids({ sender: own, recipient: own }) ?? []) ids.push(...page);
    return ids;
  }

  /** Releases mail that began to wait when fail-over had just ended, and found the drill's hold. */
  async #releaseLate(): Promise<void> {
    if (this.#settings().mode !== "off") return;
    const { spool } = this.#mail;
    const late: Parameters<Spool["releaseWithheld"]>[0] = await spool.withheld(1000);
    if (late.length > 0) await spool.releaseWithheld(late);
    this.#mail.wake();
  }

  #fail(error: unknown): void {
    this.#means.log.event("relay.error", { where: "failover drill", error: describeError(error) });
  }
}
