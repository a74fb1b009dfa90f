// Compares every file of the archive with the manifest, and checks that manifest and audit log are whole.
//
// Invariants:
// - It changes nothing, and needs no other process.
// - Mail that comes, moves, gets flags or is deleted by rule meanwhile is no fault: what looks wrong is looked at a
//   second time, against what the manifest says by then.
// - Memory does not grow with the number of files.
//
// Doors: accepting.ts, faults.ts.

import { join } from "node:path";
import { auditDirectory } from "../chain/audit.ts";
import { type ChainLine, ChainReader, LinesAt, type LinePlace } from "../chain/reader.ts";
import { manifestDirectory, type ManifestEntry, manifestEntryOf } from "../chain/manifest.ts";
import { folderDirectoryOf } from "../model/folder-name.ts";
import { accountDirectory } from "../model/maildir-place.ts";
import type { Finding } from "./faults.ts";
import { hashOfFile } from "./file-hash.ts";
import { accountsIn, filesOf, type PlacedFile } from "./maildirs.ts";
import { type RegisteredFile, Register } from "./register.ts";

export interface VerificationOrder {
  /** The directory of the Maildirs. */
  readonly directory: string;
  readonly state: string;
  /** Absent: all accounts. */
  readonly account?: string | undefined;
  /** Hashes of lines that were kept elsewhere: each must be in the manifest or in the audit log. */
  readonly seals: readonly string[];
  /** ms since the epoch. */
  readonly now: number;
}

/** Files younger than this are not unknown yet, in ms. */
const NEW = 300_000;

/** Broken lines of a chain that are named one by one. */
const BREAKS_MAX = 1000;

export class Verification implements AsyncDisposable {
  readonly #order: VerificationOrder;
  readonly #register = new Register();
  readonly #manifest: ChainReader;
  readonly #lines: LinesAt;
  readonly #missingSeals: Set<string>;
  /** By "manifest/DAY:LINE". */
  readonly #breaks = new Map<string, Finding>();
  readonly #acceptedBreaks = new Set<string>();
  /** What has been looked at so far. `byWalk`: files that came by a walk, so that no delivery vouches for them. */
  readonly counts = { files: 0, byWalk: 0, lines: 0, breaks: 0, moved: 0 };

  constructor(order: VerificationOrder) {
    this.#order = order;
    this.#manifest = new ChainReader(manifestDirectory(order.state));
    this.#lines = new LinesAt(manifestDirectory(order.state));
    this.#missingSeals = new Set(order.seals);
  }

  /** Everything that is to be said, faults and others. Rejects if a directory cannot be read. */
  async *findings(): AsyncGenerator<Finding, void, undefined> {
    await this.#readManifest();
    this.#register.arrange("keys");
    for await (const lines of new ChainReader(auditDirectory(this.#order.state)).read()) {
      this.#check(lines, "audit");
    }
    yield* this.#lookAtFiles();
    // Lines that were written meanwhile. Then files are looked at again that were not found, or were not known.
    await this.#readManifest();
    if (this.#register.hasUnseen) yield* this.#lookAtFiles();
    yield* this.#breakFindings();
    this.#register.arrange("contents");
    yield* this.#strayFindings();
    yield* this.#unseenFindings();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#register[Symbol.dispose]();
    await this.#lines[Symbol.asyncDispose]();
  }

  async #readManifest(): Promise<void> {
    for await (const lines of this.#manifest.read()) {
      this.#check(lines, "manifest");
      this.#register.note(lines.flatMap((line) => this.#entryOf(line)));
    }
  }

  #check(lines: readonly ChainLine[], chain: string): void {
    for (const { state, word, day, line, hash } of lines) {
      this.counts.lines++;
      const what = state === "broken" ? "broken" : "torn";
      if (what === "broken") this.counts.breaks++;
      else this.#missingSeals.delete(hash);
      if (state === "whole" && word !== "torn") continue;
      if (this.#breaks.size >= BREAKS_MAX) continue;
      const path = join(this.#order.state, chain, day);
      this.#breaks.set(`${chain}/${day}:${line}`, { what, path, line });
    }
  }

  /** A broken line still says what was indexed, but it excuses nothing. */
  #entryOf(line: ChainLine): [ManifestEntry, LinePlace][] {
    const entry = manifestEntryOf(line.word, line.fields);
    if (entry === undefined) return [];
    if (line.state !== "whole" && entry.word !== "file") return [];
    if (entry.word === "accepted-break") {
      this.#acceptedBreaks.add(`${entry.chain}/${entry.day}:${entry.line}`);
      return [];
    }
    const { account } = this.#order;
    return account === undefined || entry.account === account ? [[entry, line]] : [];
  }

  *#breakFindings(): Generator<Finding, void, undefined> {
    for (const [place, finding] of this.#breaks) {
      if (finding.what === "torn" || !this.#acceptedBreaks.has(place)) yield finding;
    }
    if (this.counts.breaks > BREAKS_MAX) {
      yield { what: "broken", path: this.#order.state, line: 0 };
    }
    for (const hash of this.#missingSeals) {
      yield { what: "cut", path: manifestDirectory(this.#order.state), hash };
    }
  }

  async *#lookAtFiles(): AsyncGenerator<Finding, void, undefined> {
    const { directory, account } = this.#order;
    const accounts = account === undefined ? accountsIn(directory) : [account];
    for await (const each of accounts) {
      let under: Promise<Finding | undefined>[] = [];
      for await (const file of filesOf(directory, each)) {
        under.push(this.#lookAt(file));
        if (under.length < AT_ONCE) continue;
        yield* (await Promise.all(under)).filter((finding) => finding !== undefined);
        under = [];
      }
      yield* (await Promise.all(under)).filter((finding) => finding !== undefined);
    }
  }

  async #lookAt(file: PlacedFile): Promise<Finding | undefined> {
    const known = this.#register.find(file);
    if (known === undefined ? this.#register.hasStray(file) : this.#register.isSeen(known))
      return undefined;
    const seen = await hashOfFile(file.path);
    if (seen === "gone") return undefined;
    if (known === undefined) {
      const stray = { path: file.path, modifiedAt: seen === "unreadable" ? 0 : seen.modifiedAt };
      const sha256 = seen === "unreadable" ? undefined : seen.sha256;
      return (this.#register.addStray(file, stray, sha256), undefined);
    }
    this.#register.see(known);
    this.counts.files++;
    if (known.origin === "walk") this.counts.byWalk++;
    if (seen === "unreadable") return { what: "unreadable", path: file.path };
    return seen.sha256 === known.sha256 ? undefined : { what: "changed", path: file.path };
  }

  *#strayFindings(): Generator<Finding, void, undefined> {
    for (const { path, modifiedAt, isMoved } of this.#register.strays()) {
      if (isMoved) yield { what: "moved", path };
      else if (Math.abs(this.#order.now - modifiedAt) < NEW) yield { what: "new", path };
      else yield { what: "unknown", path };
    }
  }

  async *#unseenFindings(): AsyncGenerator<Finding, void, undefined> {
    for (const file of this.#register.unseen()) {
      if (file.isExcused) continue;
      if (file.isGoing) yield { what: "going", path: await this.#pathOf(file) };
      else if (this.#register.isElsewhere(file)) this.counts.moved++;
      else yield { what: "missing", path: await this.#pathOf(file) };
    }
  }

  /** Where the file lay when its line was written. */
  async #pathOf({ at }: RegisteredFile): Promise<string> {
    const line = await this.#lines.read(at);
    const entry = line && manifestEntryOf(line.word, line.fields);
    if (entry === undefined || !("place" in entry)) {
      throw new Error(`${at.day} of the manifest has changed while it was read`);
    }
    const maildir = accountDirectory(this.#order.directory, entry.account);
    return join(maildir, folderDirectoryOf(entry.folder), entry.place);
  }
}

/** Files that are read at the same time. */
const AT_ONCE = 4;
