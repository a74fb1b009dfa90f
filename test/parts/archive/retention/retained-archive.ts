// An archive with retention: Maildirs, a manifest, holds, and a file system whose size the test says.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Audit } from "../../../../src/parts/archive/chain/audit.ts";
import { Manifest } from "../../../../src/parts/archive/chain/manifest.ts";
import { folderDirectoryOf } from "../../../../src/parts/archive/model/folder-name.ts";
import type { Finding } from "../../../../src/parts/archive/proof/faults.ts";
import { Verification } from "../../../../src/parts/archive/proof/verification.ts";
import type { DeletionMeans, Departure } from "../../../../src/parts/archive/retention/deletion.ts";
import type { DiskUse } from "../../../../src/parts/archive/retention/disk.ts";
import { Holds } from "../../../../src/parts/archive/retention/holds.ts";
import {
  type RetentionOptions,
  retentionOptions,
} from "../../../../src/parts/archive/retention/options.ts";
import { Retention } from "../../../../src/parts/archive/retention/retention.ts";
import { RetentionStore } from "../../../../src/parts/archive/retention/store.ts";
import { Turns } from "../../../../src/parts/archive/retention/turns.ts";
import { parseQuery } from "../../../../src/parts/archive/search/query.ts";
import { manualClock } from "../../../support/clock.ts";
import { MailIndex } from "./mail-index.ts";

export const DAY = 86_400_000;
export const NOW = Date.UTC(2026, 5, 1);

/** Every file takes a block. */
export const BLOCK = 4096;

export function optionsOf(table: object): RetentionOptions {
  const problems: { path: string; message: string }[] = [];
  const options = retentionOptions.read(table, "retention", problems);
  if (options === undefined) throw new Error(problems.map(({ message }) => message).join());
  return options;
}

export class RetainedArchive implements AsyncDisposable {
  readonly place: string;
  readonly directory: string;
  readonly state: string;
  readonly clock = manualClock(NOW);
  readonly manifest: Manifest;
  readonly audit: Audit;
  readonly store: RetentionStore;
  readonly index: MailIndex;
  readonly holds: Holds;
  readonly turns = new Turns();
  isBehind = false;
  /** Blocks of the file system; of them, `otherBlocks` hold no mail. */
  blocks = 1_000_000;
  otherBlocks = 0;

  constructor(place = mkdtempSync(join(tmpdir(), "unseen-retained-"))) {
    this.place = place;
    this.directory = join(place, "mail");
    this.state = join(place, "state");
    mkdirSync(this.directory, { recursive: true });
    mkdirSync(this.state, { recursive: true });
    this.manifest = new Manifest(this.state, this.clock);
    this.audit = new Audit(this.state, this.clock);
    this.store = new RetentionStore(this.state);
    this.index = new MailIndex(this.directory);
    this.holds = new Holds(this.store, this.index);
  }

  /** Writes a message of this age in days. */
  put(
    account: string,
    folder: string,
    name: string,
    days: number,
    text = `${account} ${name}`,
  ): string {
    const [localPart = "", domain = ""] = account.split("@");
    const path = join(this.directory, domain, localPart, folderDirectoryOf(folder), "new", name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    const time = (NOW - days * DAY) / 1000;
    utimesSync(path, time, time);
    return path;
  }

  /** Brings all files into index and manifest. */
  async filed(): Promise<this> {
    await this.index.walk();
    await this.index.note(this.manifest);
    return this;
  }

  async hold(name: string, query: string): Promise<boolean> {
    const parsed = parseQuery(query, { now: this.clock.now(), zone: "UTC" });
    if ("problem" in parsed) throw new Error(parsed.problem);
    const { condition } = parsed;
    return this.holds.add({
      name,
      query,
      condition,
      why: "a case",
      by: "test",
      now: this.clock.now(),
    });
  }

  retention(table: object, means: Partial<DeletionMeans> = {}): Retention {
    return new Retention({
      directory: this.directory,
      store: this.store,
      holds: this.holds,
      manifest: this.manifest,
      audit: this.audit,
      turns: this.turns,
      clock: this.clock,
      messages: this.index,
      options: optionsOf(table),
      isBehind: () => this.isBehind,
      diskUse: () => Promise.resolve(this.disk()),
      ...means,
    });
  }

  disk(): DiskUse {
    const used = (this.otherBlocks + this.files().length) * BLOCK;
    return { block: BLOCK, used, octets: this.blocks * BLOCK, usedInodes: 0, inodes: 0 };
  }

  /** The names of the files that are there, sorted. */
  files(): string[] {
    return readdirSync(this.directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name)
      .toSorted();
  }

  /** "name: rule" of each message that a dry run names. */
  async dryRun(table: object): Promise<string[]> {
    const leaving = this.retention(table).dryRun(AbortSignal.any([]));
    return (await Array.fromAsync(leaving)).map(({ message, rule }) => `${message.name}: ${rule}`);
  }

  async run(table: object, isByHand = false): Promise<Departure[]> {
    const result = { deleted: 0, octets: 0, isShort: false, nextEnd: 0 };
    return await Array.fromAsync(this.retention(table).run(isByHand, AbortSignal.any([]), result));
  }

  async findings(): Promise<Finding[]> {
    const { directory, state } = this;
    await using verification = new Verification({ directory, state, seals: [], now: NOW });
    return await Array.fromAsync(verification.findings());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    rmSync(this.place, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    await this.manifest.close();
    await this.audit.close();
    this.store[Symbol.dispose]();
  }
}
