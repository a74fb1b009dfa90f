// An account with Maildirs, a mailbox at the fake Google, and the comparison of both.

import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../../src/base/clock.ts";
import { GoogleApi } from "../../../../src/google/google.ts";
import { Archive } from "../../../../src/parts/coverage/gmail/archive.ts";
import { compared, type Compared } from "../../../../src/parts/coverage/gmail/comparing.ts";
import { Mailbox, SCOPE } from "../../../../src/parts/coverage/gmail/mailbox.ts";
import type { Clock } from "../../../../src/base/clock.ts";
import { type FakeGoogle, startGoogle } from "../../../support/google.ts";
import { FakeMailbox } from "../../../support/google-gmail.ts";

export const ALICE = "alice@example.com";
export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

interface Copied {
  /** Below the account's Maildir. */
  readonly box?: string;
  readonly name?: string;
  /** Milliseconds since the epoch. */
  readonly time?: number;
}

export class ComparedPlace implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "unseen-coverage-"));
  readonly google: FakeGoogle;
  readonly mailbox: FakeMailbox;
  readonly now = Date.now();
  #count = 0;

  constructor(google: FakeGoogle) {
    this.google = google;
    this.mailbox = new FakeMailbox(google, ALICE);
    writeFileSync(this.keyFile, google.keyFile());
  }

  get keyFile(): string {
    return join(this.directory, "key.json");
  }

  get maildir(): string {
    return join(this.directory, "mail/example.com/alice");
  }

  /** Writes a copy with this header section. Returns its path. */
  copy(header: string, { box = "new", name, time = this.now - HOUR }: Copied = {}): string {
    const directory = join(this.maildir, box);
    mkdirSync(directory, { recursive: true });
    const file = join(directory, name ?? `1700000000.M${++this.#count}P1.mx.example.com,S=1`);
    writeFileSync(file, `Return-path: <carol@example.net>\n${header}\n\nhello\n`, "latin1");
    utimesSync(file, time / 1000, time / 1000);
    return file;
  }

  /** The same message on both sides. */
  both(id: string): void {
    this.copy(`Message-ID: <${id}>`);
    this.mailbox.add({ "Message-ID": `<${id}>` }, { time: this.now - HOUR });
  }

  async open(clock: Clock = systemClock): Promise<Mailbox> {
    const access = { keyFile: this.keyFile, subject: ALICE, scopes: [SCOPE] };
    return new Mailbox(await GoogleApi.open(access, { clock }), this.google.base);
  }

  archive(): Archive {
    const sent = join(this.maildir, ".Sent");
    return new Archive([
      { path: this.maildir, direction: "in", isShared: false },
      { path: sent, direction: "out", isShared: false },
    ]);
  }

  async compare(days = 30, clock: Clock = systemClock): Promise<Compared> {
    const sides = { archive: this.archive(), mailbox: await this.open(clock) };
    return compared(sides, this.now - days * DAY, { now: () => this.now }, () => undefined);
  }

  /** What is on one side only. */
  async missing(days?: number, clock?: Clock) {
    const { comparison } = await this.compare(days, clock);
    return {
      both: comparison.both,
      atGoogle: comparison.onlyArchived.map(({ ids }) => ids[0] ?? ""),
      inArchive: comparison.onlyMail.map(({ ids }) => ids[0] ?? ""),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.google[Symbol.asyncDispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export async function comparedPlace(): Promise<ComparedPlace> {
  return new ComparedPlace(await startGoogle());
}
