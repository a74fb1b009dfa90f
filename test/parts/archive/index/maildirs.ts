// Maildirs on disk, and an indexer over them with fakes for the texts and the manifest.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ArchiveIndex } from "../../../../src/parts/archive/index/archive-index.ts";
import { Indexer } from "../../../../src/parts/archive/index/indexer.ts";
import type { ManifestEntry } from "../../../../src/parts/archive/chain/manifest.ts";
import type { EventName } from "../../../../src/observe/events.ts";
import { manualClock } from "../../../support/clock.ts";
import { extractOf } from "./archived.ts";

/** A time in the past, so that directories written now are older than a walk's doubt. */
const LATER = 3_600_000;

export class Maildirs implements AsyncDisposable {
  readonly root: string;
  readonly state: string;
  readonly clock = manualClock(Date.now() + LATER);
  readonly events: { name: EventName; fields: object }[] = [];
  readonly lines: ManifestEntry[] = [];
  /** Paths whose text was read. */
  readonly read: string[] = [];
  /** Called before a text is read. */
  onRead: () => void = () => undefined;
  /** Paths that cannot be read. */
  readonly unreadable = new Set<string>();
  /** The Delivery-date lines of files, in ms. */
  readonly deliveryDates = new Map<string, number>();
  manifestError: Error | undefined;
  index: ArchiveIndex;
  indexer: Indexer;

  constructor() {
    const top = mkdtempSync(join(tmpdir(), "unseen-maildirs-"));
    this.root = join(top, "mail");
    this.state = join(top, "state");
    mkdirSync(this.root);
    mkdirSync(this.state);
    // Other files of the archive lie beside the index.
    writeFileSync(join(this.state, "lock"), "");
    [this.index, this.indexer] = this.#open();
  }

  /** Writes a file. `path` is below the root: "example.com/ann/new/1". */
  write(path: string, text = `text of ${path}`, mtime?: number): string {
    const file = join(this.root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    if (mtime !== undefined) utimesSync(file, mtime / 1000, mtime / 1000);
    return file;
  }

  /** "ann@example.com Sent new/1" of each message of the index, the oldest first. */
  async messages(): Promise<string[]> {
    const messages = await this.index.oldestFirst(0, 100_000);
    return Promise.all(
      messages.map(async (message) => {
        const path = (await this.index.pathOf(message)) ?? `gone/${message.name}`;
        const place = path.split("/").slice(-2).join("/");
        return `${message.account} ${message.folder} ${place}`;
      }),
    );
  }

  /** As if the process had ended and begun again. */
  async restart(): Promise<void> {
    await this.close();
    this.reopen();
  }

  reopen(): void {
    [this.index, this.indexer] = this.#open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    rmSync(dirname(this.root), { recursive: true });
  }

  async close(): Promise<void> {
    await this.indexer.close();
    this.index.close();
  }

  #open(): [ArchiveIndex, Indexer] {
    const { root, clock } = this;
    const index = ArchiveIndex.forWriting({ directory: root, state: this.state }, clock);
    const indexer = new Indexer({
      index,
      root,
      clock,
      log: { event: (name, fields) => void this.events.push({ name, fields }) },
      manifest: { append: (entries) => this.#append(entries) },
      texts: { extract: async (path) => this.#extract(path) },
      originOf: () => "walk",
    });
    return [index, indexer];
  }

  #append(entries: readonly ManifestEntry[]): Promise<void> {
    if (this.manifestError !== undefined) return Promise.reject(this.manifestError);
    this.lines.push(...entries);
    return Promise.resolve();
  }

  #extract(path: string) {
    this.read.push(path);
    this.onRead();
    if (this.unreadable.has(path)) throw Object.assign(new Error("EIO"), { code: "EIO" });
    const deliveryDate = this.deliveryDates.get(path);
    return existsSync(path)
      ? extractOf(readFileSync(path, "utf8"), { deliveryDate })
      : ("gone" as const);
  }
}
