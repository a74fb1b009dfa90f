// TLS reports (RFC 8460): counts the results of TLS with hosts of other domains, and sends them reports once a day.
//
// Invariants:
// - The relay keeps no counts of a domain that does not ask for reports.
// - Counting never waits. Counts are on disk within a minute, so a crash loses the counts of one minute at most.
// - A destination gets its report once. A crash just after sending may repeat it, under the same id.
// - An error in here never fails a delivery.

import { join } from "node:path";
import type { Timer } from "../../base/clock.ts";
import { readPrivateKey } from "../../options/secret-file.ts";
import type { TlsReportOptions } from "./options.ts";
import { describeError } from "../../observe/log.ts";
import type { Outside, PartMail, PartMeans } from "../part.ts";
import { type DomainDay, Ledger, type LedgerEntry } from "./ledger.ts";
import { tlsReportDraft } from "./letter.ts";
import { postReport } from "./post.ts";
import { type Destination, destinationsOf } from "./record.ts";
import { composeTlsReport, DAY, dueTime, SPREAD, type TlsReport } from "./report.ts";
import type { TlsSession } from "../../tls/sessions.ts";
import type { TlsSessions } from "../../tls/sessions.ts";

type TlsReportMeans = Pick<PartMeans, "clock" | "log" | "hostname" | "spoolDirectory">;

/** The values that a reload changes. */
interface Settings extends Outside {
  readonly options: TlsReportOptions;
}

const HOUR = 3_600_000;
const SAVED_AFTER = 60_000;
/** The pause after the first failure, in ms. It doubles with each further failure (RFC 8460 5.5). */
const PAUSE = HOUR / 2;
/** The time for retries, counted from the last time at which a report may be due; in ms. */
const GIVEN_UP_AFTER = 24 * HOUR;
/** Milliseconds by which the beginning of a day may be ahead of the clock. */
const CLOCK_ERROR = 5000;
/** Reports that are sent at the same time. */
const SENT_AT_ONCE = 10;
/** Domains of one day in memory that do not ask for reports. */
const UNWANTED_MAX = 10_000;

export class TlsReports implements TlsSessions {
  readonly #means: TlsReportMeans;
  readonly #ledger: Ledger;
  readonly #closing = new AbortController();
  /** Undefined: the configuration asks for no reports. */
  #settings: Settings | undefined;
  #outbox: PartMail["outbox"] | undefined;
  #unwanted = { day: 0, domains: new Set<string>() };
  #saveTimer: Timer | undefined;
  #sendTimer: Timer | undefined;
  #sending: Promise<void> | undefined;

  constructor(means: TlsReportMeans) {
    this.#means = means;
    const { hostname, spoolDirectory } = means;
    const due = (day: number, domain: string) => dueTime(day, domain, hostname);
    this.#ledger = new Ledger(join(spoolDirectory, "tls-reports"), due);
  }

  /** Uses these options from now on. */
  follow(options: TlsReportOptions | undefined, outside: Outside): void {
    this.#settings = options && { options, ...outside };
  }

  /** Reads the counts of earlier runs, and begins to send. */
  async begin(
    options: TlsReportOptions | undefined,
    outside: Outside,
    outbox: PartMail["outbox"],
  ): Promise<void> {
    this.follow(options, outside);
    const { log } = this.#means;
    const broken = (path: string, error: unknown) =>
      log.event("relay.warning", { what: `${path} cannot be used: ${describeError(error)}` });
    await this.#ledger.load(broken).catch((error: unknown) => this.#failedHere(error));
    this.#outbox = outbox;
    this.#sendLater();
  }

  ended(domain: string, session: () => TlsSession): void {
    if (this.#settings === undefined) return;
    const { clock } = this.#means;
    const day = Math.floor(clock.now() / DAY) * DAY;
    if (this.#unwanted.day !== day) this.#unwanted = { day, domains: new Set() };
    if (this.#unwanted.domains.has(domain)) return;
    const domainDay = this.#ledger.find(day, domain) ?? this.#open(day, domain);
    if (domainDay === undefined) return;
    this.#ledger.count(day, domainDay, session());
    this.#saveTimer ??= clock.after(SAVED_AFTER, () => void this.#save());
  }

  /** Ends sending, and saves the counts. */
  async close(): Promise<void> {
    this.#closing.abort(new Error("the relay is stopping"));
    this.#sendTimer?.cancel();
    this.#saveTimer?.cancel();
    await this.#sending;
    await this.#save();
  }

  #open(day: number, domain: string): DomainDay | undefined {
    const domainDay = this.#ledger.open(day, domain);
    if (domainDay === undefined) return undefined;
    if (this.#settings !== undefined) void this.#ask(day, domain, this.#settings);
    if (this.#sending === undefined) this.#sendLater();
    return domainDay;
  }

  /** Asks the DNS whether the domain wants reports, and drops its counts if not. Without an answer the counts stay. */
  async #ask(day: number, domain: string, { resolver }: Settings): Promise<void> {
    const answer = await resolver.txt(recordName(domain));
    const isWanted =
      answer.kind === "temporary" ||
      (answer.kind === "found" && destinationsOf(answer.records) !== undefined);
    if (isWanted) return;
    this.#ledger.remove(day, domain);
    const { domains } = this.#unwanted;
    if (domains.size < UNWANTED_MAX) domains.add(domain);
  }

  async #save(): Promise<void> {
    this.#saveTimer = undefined;
    await this.#ledger.save().catch((error: unknown) => this.#failedHere(error));
  }

  #failedHere(error: unknown): void {
    this.#means.log.event("relay.error", { where: "tls-reports", error: describeError(error) });
  }

  #sendLater(): void {
    this.#sendTimer?.cancel();
    if (this.#closing.signal.aborted) return;
    let first = Infinity;
    for (const { day, domainDay } of this.#ledger.domainDays()) {
      first = Math.min(first, this.#wait(day, domainDay));
    }
    if (first === Infinity) return;
    const { clock } = this.#means;
    this.#sendTimer = clock.after(Math.min(first, HOUR), () => {
      // The wall clock may have been set meanwhile.
      if (first > HOUR) return this.#sendLater();
      this.#sending ??= this.#send().finally(() => {
        this.#sending = undefined;
        this.#sendLater();
      });
    });
  }

  /** Sends reports, up to 10 at the same time, because a destination that does not answer takes a minute. */
  async #send(): Promise<void> {
    for (const { day, domain } of this.#ledger.domainDays())
      if (this.#isToCome(day)) this.#ledger.remove(day, domain);
    await this.#save();
    // Accounts may be added or removed during the loops.
    const domainDays = this.#ledger.domainDays();
    const sending = Array.from({ length: SENT_AT_ONCE }, async () => {
      for (let next = domainDays.next(); next.done !== true; next = domainDays.next())
        await this.#sendOne(next.value);
    });
    await Promise.all(sending);
  }

  async #sendOne({ day, domain, domainDay }: LedgerEntry): Promise<void> {
    if (this.#closing.signal.aborted || this.#outbox === undefined) return;
    if (this.#wait(day, domainDay) > 0) return;
    if (await this.#sendDue(day, domain, domainDay)) this.#ledger.remove(day, domain);
    else this.#ledger.change(day);
    await this.#save();
  }

  /** Milliseconds until the report is to be sent. */
  #wait(day: number, { due, pausedUntil }: DomainDay): number {
    const { clock } = this.#means;
    if (this.#isToCome(day)) return 0;
    return Math.max(due - clock.now(), pausedUntil - clock.monotonic());
  }

  /** Whether the day has not begun: then a clock was ahead when it was counted, and no report is possible. */
  #isToCome(day: number): boolean {
    return day > this.#means.clock.now() + CLOCK_ERROR;
  }

  /** Sends the report of a domain to the destinations that are left. False: the report must be tried again later. */
  async #sendDue(day: number, domain: string, domainDay: DomainDay): Promise<boolean> {
    const settings = this.#settings;
    if (settings === undefined) return true;
    const { options, resolver } = settings;
    const answer = await resolver.txt(recordName(domain));
    if (answer.kind === "temporary") return this.#putOff(day, domain, domainDay, "", answer.error);
    const destinations = answer.kind === "found" ? destinationsOf(answer.records) : [];
    const left = (destinations ?? []).filter(({ uri }) => !domainDay.done.has(uri));
    if (left.length === 0) return true;
    const { organization, from } = options;
    const submitter = { organization, contact: from.address, domain: from.domain };
    const subject = { domain, day, counts: domainDay.tally.counts };
    const report = await composeTlsReport(subject, submitter);
    const failed: string[] = [];
    let why: unknown;
    for (const destination of left) {
      try {
        await this.#deliver(report, destination, settings);
        domainDay.done.add(destination.uri);
      } catch (error) {
        failed.push(destination.uri);
        why = error;
      }
    }
    if (failed.length === 0) return true;
    return this.#putOff(day, domain, domainDay, failed.join(", "), describeError(why));
  }

  async #deliver(
    report: TlsReport,
    destination: Destination,
    { options, resolver, https }: Settings,
  ): Promise<void> {
    const { clock, log } = this.#means;
    const { id: report_id, domain } = report;
    if (destination.kind === "https") {
      const { signal } = this.#closing;
      await postReport(destination.url, report.gzipped, { clock, resolver, https, signal });
      log.event("tls_report.sent", { domain, to: destination.uri, report_id });
      return;
    }
    const key = {
      domain: options.dkim_domain,
      selector: options.dkim_selector,
      privateKey: await readPrivateKey(options.dkim_key_file),
    };
    if (this.#outbox === undefined) throw new Error("there is no spool yet");
    const draft = tlsReportDraft(report, destination.mailbox);
    // It goes like any other mail; if it fails, the relay sends no report about it.
    const id = await this.#outbox.post(draft, {
      sender: options.from,
      now: clock.now(),
      notify: "NEVER",
      tlsOptional: true,
      key,
    });
    log.event("tls_report.sent", { id, domain, to: destination.uri, report_id });
  }

  /** Notes a failure and the time of the next attempt. True: the time for attempts is over. */
  #putOff(day: number, domain: string, domainDay: DomainDay, to: string, error: string): boolean {
    const { clock, log } = this.#means;
    // The relay stops: the other side did not fail.
    if (this.#closing.signal.aborted) return false;
    const pause = PAUSE * 2 ** domainDay.failures++;
    domainDay.pausedUntil = clock.monotonic() + pause;
    const nextAttempt = clock.now() + pause;
    const isOver = nextAttempt > day + DAY + SPREAD + GIVEN_UP_AFTER;
    const next = isOver ? {} : { next_attempt: new Date(nextAttempt).toISOString() };
    log.event("tls_report.failed", { domain, to, error, ...next });
    return isOver;
  }
}

function recordName(domain: string): string {
  return `_smtp._tls.${domain}`;
}
