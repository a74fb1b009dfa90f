// The archive, opened: its settings and everything that an operation may use.
//
// Invariant: one process at a time writes below `state`. It holds the lock there from the opening to the closing.

import { join } from "node:path";
import type { Clock } from "../../../base/clock.ts";
import { type ExclusiveLock, lockExclusively } from "../../../base/durable/exclusive-lock.ts";
import { ownDirectory } from "../../../base/durable/own-directory.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import type { Log } from "../../../observe/log.ts";
import { Audit } from "../chain/audit.ts";
import { Manifest } from "../chain/manifest.ts";
import { ArchiveIndex } from "../index/archive-index.ts";
import { Indexer } from "../index/indexer.ts";
import { importMarksIn } from "../model/imported-name.ts";
import { Extractor } from "../text/text.ts";
import { Retained } from "./retained.ts";
import type { ArchiveSettings } from "./settings.ts";

export interface ArchiveMeans {
  readonly clock: Clock;
  readonly log: Log;
}

export class Archive implements AsyncDisposable {
  readonly settings: ArchiveSettings;
  readonly clock: Clock;
  readonly log: Log;
  /** An archive that is open for reading writes no line. */
  readonly manifest: Manifest;
  readonly audit: Audit;
  readonly index: ArchiveIndex;
  readonly #texts: Extractor | undefined;
  /** Undefined if the archive is open for reading. */
  readonly indexing: Indexer | undefined;
  readonly #retained: Retained | undefined;
  readonly #lock: ExclusiveLock | undefined;

  private constructor(
    settings: ArchiveSettings,
    means: ArchiveMeans,
    index: ArchiveIndex,
    lock?: ExclusiveLock,
  ) {
    this.settings = settings;
    this.clock = means.clock;
    this.log = means.log;
    this.index = index;
    // Their first line is the first that touches the disk.
    this.manifest = new Manifest(settings.state, means.clock);
    this.audit = new Audit(settings.state, means.clock);
    this.#lock = lock;
    if (lock === undefined) return;
    const texts = new Extractor({
      attachments: settings.attachments,
      clock: means.clock,
      cache: join(settings.state, "cache"),
    });
    this.#texts = texts;
    const { manifest, audit } = this;
    const isBehind = () => this.indexer.isBehind;
    const retained = new Retained({
      ...means,
      settings,
      manifest,
      audit,
      messages: index,
      isBehind,
    });
    this.#retained = retained;
    this.indexing = new Indexer({
      ...means,
      index,
      onIndexed: (ids) => retained.indexed(ids),
      manifest: this.manifest,
      texts,
      root: settings.directory,
      originOf: ({ name }) => (importMarksIn(name) === undefined ? "walk" : "import"),
    });
  }

  /** Throws CommandError (69) if the archive is open for reading. */
  get indexer(): Indexer {
    if (this.indexing !== undefined) return this.indexing;
    throw new CommandError("this process only reads the archive", EXIT.unavailable);
  }

  /** Holds and retention. Throws CommandError (69) if the archive is open for reading. */
  get retained(): Retained {
    if (this.#retained !== undefined) return this.#retained;
    throw new CommandError("this process only reads the archive", EXIT.unavailable);
  }

  /** Resolves when the index has everything that lies in the Maildirs. */
  async caughtUp(): Promise<void> {
    if (this.indexer.isBehind) await this.indexer.catchUp();
  }

  /** Opens the archive for reading, beside a process that may be writing. */
  static forReading(settings: ArchiveSettings, means: ArchiveMeans): Archive {
    return new Archive(settings, means, ArchiveIndex.forReading(settings, means.clock));
  }

  /**
   * Opens the archive for writing. Creates `state` if it is missing. A process of root becomes the relay's user. Throws
   * CommandError (69) if another process is writing.
   */
  static forWriting(settings: ArchiveSettings, means: ArchiveMeans): Archive {
    const { state, user } = settings;
    ownDirectory(state, user);
    const lock = lockExclusively(join(state, "lock"));
    if (lock === undefined) {
      const what = `another process is writing to the archive in ${state}, and does not answer on ${settings.socket}`;
      throw new CommandError(what, EXIT.unavailable);
    }
    try {
      return new Archive(settings, means, ArchiveIndex.forWriting(settings, means.clock), lock);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.indexing?.close();
    await this.#retained?.close();
    this.#texts?.close();
    this.index.close();
    await this.manifest.close();
    await this.audit.close();
    this.#lock?.release();
  }
}
