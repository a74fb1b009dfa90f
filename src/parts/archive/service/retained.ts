// Holds and retention of an archive that is open for writing. They are opened with their first use, so that a damaged
// retention.sqlite stops no search: it only stops every deletion.

import type { Audit } from "../chain/audit.ts";
import type { Manifest } from "../chain/manifest.ts";
import type { Clock } from "../../../base/clock.ts";
import { describeError, type Log } from "../../../observe/log.ts";
import { Holds } from "../retention/holds.ts";
import type { Messages } from "../retention/messages.ts";
import { Retention } from "../retention/retention.ts";
import { RetentionStore } from "../retention/store.ts";
import { Turns } from "../retention/turns.ts";
import type { ArchiveSettings } from "./settings.ts";

export interface RetainedMeans {
  readonly settings: ArchiveSettings;
  readonly clock: Clock;
  readonly log: Log;
  readonly manifest: Manifest;
  readonly audit: Audit;
  readonly messages: Messages & Pick<MessagesById, "messages">;
  isBehind(): boolean;
}

interface MessagesById {
  messages(ids: readonly number[]): ReturnType<Messages["oldestFirst"]>;
}

interface Opened {
  readonly store: RetentionStore;
  readonly holds: Holds;
  readonly retention: Retention;
}

export class Retained {
  /** Work that must not run beside a deletion takes a turn. */
  readonly turns = new Turns();
  readonly #means: RetainedMeans;
  #opened: Opened | undefined;
  /** Resolves when the holds have been asked about all mail that was indexed so far. */
  #covered: Promise<void> = Promise.resolve();
  #fault = "";

  constructor(means: RetainedMeans) {
    this.#means = means;
  }

  get holds(): Holds {
    return this.#open().holds;
  }

  get retention(): Retention {
    return this.#open().retention;
  }

  /** A verification of the whole archive has ended. */
  noteVerified(faults: number): void {
    this.#open().store.noteVerified(this.#means.clock.now(), faults);
  }

  /** New messages are in the index: holds may cover them. Never throws. */
  indexed(ids: readonly number[]): void {
    this.#covered = this.#covered.then(() =>
      this.#covering(async () => {
        if (this.holds.isEmpty) return;
        await this.holds.cover(await this.#means.messages.messages(ids));
      }),
    );
  }

  /** Asks the holds for everything that came while no process did. Never rejects. */
  askHolds(signal: AbortSignal): Promise<void> {
    return this.#covering(() => this.holds.askAll(signal));
  }

  /** Resolves when the deletion under way has ended. */
  async close(): Promise<void> {
    await this.turns.take(() => this.#covered);
    this.#opened?.store[Symbol.dispose]();
    this.#opened = undefined;
  }

  async #covering(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // Before each deletion the queries are asked again, so nothing is lost by this.
      const text = describeError(error);
      if (text !== this.#fault) this.#means.log.event("archive.holds_unasked", { error: text });
      this.#fault = text;
    }
  }

  #open(): Opened {
    if (this.#opened !== undefined) return this.#opened;
    const { settings, clock, manifest, audit, messages } = this.#means;
    const { directory, state, retention: options } = settings;
    const store = new RetentionStore(state);
    const holds = new Holds(store, messages);
    const isBehind = () => this.#means.isBehind();
    const means = { directory, options, clock, manifest, audit, messages, store, holds, isBehind };
    this.#opened = { store, holds, retention: new Retention({ ...means, turns: this.turns }) };
    return this.#opened;
  }
}
