// The sync while the relay serves: at the start, after each `interval`, and at once when Google does not know one of our
// accounts any more.
//
// Invariants:
// - One sync at a time. Replies of Google cause at most one a minute, counted from the start of the last sync.
// - A sync that fails or is refused changes no file. The alarm about a refusal is repeated each hour until a sync passes.
// - The start and the end of the relay do not wait for Google.

import { directoryStatePath, readDirectoryState } from "../../accounts/directory-state.ts";
import type { AccountsOptions } from "../../accounts/options.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { given } from "../../base/given.ts";
import type { Events } from "../../observe/events.ts";
import { describeError, type Log } from "../../observe/log.ts";
import { DirectoryError, type FoundDirectory } from "./source.ts";
import type { SourceMeans } from "./sources.ts";
import { syncAccounts, type SyncReport, UnwrittenFiles } from "./sync.ts";

export interface ServingMeans {
  readonly clock: Clock;
  readonly log: Log;
  readonly spoolDirectory: string;
  readonly read: (options: AccountsOptions, means: SourceMeans) => Promise<FoundDirectory>;
}

/** The answer to the order `status` of this part. */
interface SyncStatus {
  /** Whether the relay syncs by itself. */
  readonly isOn: boolean;
  /** Why the last sync has changed nothing; absent if it passed, or if there was none yet. */
  readonly problem?: { readonly kind: "refused" | "failed"; readonly why: string };
}

const MINUTE = 60_000;
const HOUR = 3_600_000;
/** Addresses that an event names. */
const NAMED_MAX = 100;
/** The reply for an unknown user, as the log has it. */
const NO_SUCH_USER = /^550[ -]5\.1\.1\b/;

export class ServingSync {
  readonly #means: ServingMeans;
  #options: AccountsOptions | undefined;
  /** The next sync, with its time by the monotonic clock. */
  #next: { readonly at: number; readonly timer: Timer } | undefined;
  /** The start of the last sync, by the monotonic clock. */
  #startedAt: number | undefined;
  #running: Promise<void> | undefined;
  /** The time of the next sync has come while one was running. */
  #isLate = false;
  #closing = new AbortController();
  /** Addresses of the last sync that was written, aliases included. */
  #known: ReadonlySet<string> = new Set();
  readonly #alarm: HourlyAlarm;
  #lastProblem: SyncStatus["problem"];

  constructor(means: ServingMeans) {
    this.#means = means;
    this.#alarm = new HourlyAlarm(means);
  }

  /** Uses these options from now on. If they are new, the next sync comes at once. */
  follow(options: AccountsOptions | undefined): void {
    if (JSON.stringify(options) === JSON.stringify(this.#options)) return;
    this.#options = options;
    this.#next?.timer.cancel();
    this.#next = undefined;
    this.#alarm.end();
    this.#lastProblem = undefined;
    if (options !== undefined && options.interval > 0) this.#plan(0);
  }

  /** Hears of a delivery that has failed for good. */
  hear({ recipient, status, unseen, host }: Events["delivery.failed"]): void {
    const isByHost = host !== undefined && unseen !== true;
    if (!isByHost || !NO_SUCH_USER.test(status) || !this.#isOurs(recipient)) return;
    const since = this.#startedAt;
    const now = this.#means.clock.monotonic();
    this.#plan(since === undefined ? 0 : Math.max(0, since + MINUTE - now));
  }

  /** The state of the sync, for other processes. */
  get status(): SyncStatus {
    return { isOn: (this.#options?.interval ?? 0) > 0, ...given({ problem: this.#lastProblem }) };
  }

  /** Resolves when the sync under way has ended. */
  async passed(): Promise<void> {
    await this.#running;
  }

  async close(): Promise<void> {
    this.#next?.timer.cancel();
    this.#alarm.end();
    this.#closing.abort(new Error("the relay is stopping"));
    await this.#running;
  }

  #isOurs(written: string): boolean {
    const address = written.toLowerCase();
    return this.#known.has(address) || this.#known.has(address.replace(/\+[^@]*@/, "@"));
  }

  /** The next sync comes in `wait` ms, or earlier if one is planned for an earlier time. */
  #plan(wait: number): void {
    const { interval = 0 } = this.#options ?? {};
    if (interval === 0 || this.#closing.signal.aborted) return;
    const { clock } = this.#means;
    const at = clock.monotonic() + wait;
    if (this.#next !== undefined && this.#next.at <= at) return;
    this.#next?.timer.cancel();
    this.#next = { at, timer: clock.after(wait, () => this.#begin()) };
  }

  #begin(): void {
    this.#next = undefined;
    const options = this.#options;
    if (options === undefined) return;
    if (this.#running !== undefined) {
      this.#isLate = true;
      return;
    }
    this.#isLate = false;
    this.#startedAt = this.#means.clock.monotonic();
    this.#plan(options.interval);
    this.#running = this.#sync(options).finally(() => this.#ended());
  }

  #ended(): void {
    this.#running = undefined;
    if (this.#isLate) this.#plan(0);
  }

  /** Never rejects. */
  async #sync(options: AccountsOptions): Promise<void> {
    const { clock, log, spoolDirectory, read } = this.#means;
    const { signal } = this.#closing;
    const warn = (what: string) => log.event("relay.warning", { what });
    try {
      const means = { clock, spoolDirectory, read: () => read(options, { clock, signal }), warn };
      const report = await syncAccounts(options, means);
      if (report.refused === undefined) this.#written(report);
      else this.#refused(report.refused);
    } catch (error) {
      if (!signal.aborted) this.#failed(error);
    }
    await this.#learn();
  }

  #written({ users, groups, aliases, added, removed, delayed }: SyncReport): void {
    this.#alarm.end();
    this.#lastProblem = undefined;
    this.#means.log.event("accounts.synced", {
      users,
      groups,
      aliases,
      added: added.slice(0, NAMED_MAX),
      removed: removed.slice(0, NAMED_MAX),
      delayed: delayed.length,
    });
  }

  #refused(why: string): void {
    this.#lastProblem = { kind: "refused", why };
    this.#means.log.event("accounts.refused", { why });
    this.#alarm.raise(`the sync of accounts is refused, and their files stay as they are: ${why}`);
  }

  #failed(error: unknown): void {
    const isKnown = error instanceof DirectoryError || error instanceof UnwrittenFiles;
    const why = isKnown ? error.message : describeError(error);
    this.#lastProblem = { kind: "failed", why };
    this.#means.log.event("accounts.failed", { error: why });
    const what = `the accounts cannot be synced, and their files stay as they are: ${why}`;
    // Google may be out of reach for a while.
    const isAway = error instanceof DirectoryError && error.kind === "unreachable";
    if (isAway) this.#alarm.raiseLater(what);
    else this.#alarm.raise(what);
  }

  /** Reads which addresses are ours, also if another process has synced. */
  async #learn(): Promise<void> {
    const { log, spoolDirectory } = this.#means;
    try {
      const state = await readDirectoryState(spoolDirectory);
      const all = state?.accounts.flatMap(({ address, aliases }) => [address, ...aliases]) ?? [];
      this.#known = new Set(all);
    } catch (error) {
      const where = directoryStatePath(spoolDirectory);
      log.event("relay.error", { where, error: describeError(error) });
    }
  }
}

/** An alarm that is repeated each hour until its cause has ended. */
class HourlyAlarm {
  readonly #means: Pick<ServingMeans, "clock" | "log">;
  #what = "";
  /** It was logged since its cause began. */
  #isRaised = false;
  #timer: Timer | undefined;

  constructor(means: Pick<ServingMeans, "clock" | "log">) {
    this.#means = means;
  }

  /** Logs the alarm now if it was not yet logged. */
  raise(what: string): void {
    this.raiseLater(what);
    if (this.#isRaised) return;
    this.end();
    this.#log();
  }

  /** Logs the alarm in an hour, if its cause is still there. */
  raiseLater(what: string): void {
    this.#what = what;
    this.#timer ??= this.#means.clock.after(HOUR, () => this.#log());
  }

  end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#isRaised = false;
  }

  #log(): void {
    this.#isRaised = true;
    this.#means.log.event("alarm", { what: this.#what });
    this.#timer = this.#means.clock.after(HOUR, () => this.#log());
  }
}
