// Writes one copy of a message into one Maildir, in the lane of that Maildir. A copy whose file system hangs goes on
// after its attempt, and the next attempt takes it over.
//
// Invariant: a copy gets one file, however many attempts are made, whether the file system hangs or the relay is killed.
//
// Doors: file-names.ts, line-ends.ts, new-files.ts, placeholders.ts,
// read-delivery-headers.ts.

import type { FileCalls } from "../base/durable/file-calls.ts";
import type { Batch, Recipient, Services } from "../contract/contract.ts";
import { SharedDisks } from "../disks/disks.ts";
import { type DiskTurn, FileSystemHangs } from "../disks/maildir-disks.ts";
import type { MaildirDisks, MaildirLane } from "../disks/maildir-disks.ts";
import { callsBelow } from "../disks/own-calls.ts";
import { type DeliveryHeaders, deliveryHeaders } from "./delivery-headers.ts";
import { directoryMode } from "./directories.ts";
import { FileNames } from "./file-names.ts";
import { type MaildirOptions, Maildirs, type Target } from "./maildirs.ts";

export { UnreadableBody } from "./maildirs.ts";

/** How long an attempt waits for a copy that an earlier one has left under way, in ms. */
const LATE_MAX = 2000;

/** An earlier attempt may have left the copy: until that is known none is written. */
export class NotLookedFor extends Error {}

export type Written =
  /** The file is in new/, or in cur/ if an earlier attempt wrote it. The file and its directory are synced. */
  | { readonly kind: "written"; readonly path: string }
  /** The file system of the lane does not answer. `isUnderWay`: the copy goes on, and is written when it answers. */
  | { readonly kind: "hangs"; readonly lane: MaildirLane; readonly isUnderWay: boolean };

export class CopyWriter {
  /** The mode of the directories that it makes. */
  readonly directoryMode: number;
  readonly #options: MaildirOptions;
  readonly #headers: DeliveryHeaders;
  readonly #clock: Services["clock"];
  readonly #names: FileNames;
  readonly #maildirs: Maildirs;
  readonly #disks: MaildirDisks;
  readonly #callsFor: (maildir: string, turn: DiskTurn) => FileCalls;

  /** `calls` are made in this thread, by paths; without them the calls are made in threads, by descriptors. */
  constructor(
    options: MaildirOptions,
    headers: DeliveryHeaders,
    services: Pick<Services, "clock" | "hostname" | "log" | "maildirDisks">,
    calls?: FileCalls,
  ) {
    const { clock, hostname } = services;
    this.directoryMode = directoryMode(options.mode);
    this.#options = options;
    this.#headers = headers;
    this.#clock = clock;
    this.#names = new FileNames(clock, hostname);
    this.#disks = services.maildirDisks ?? new SharedDisks(services, calls);
    this.#maildirs = new Maildirs(options, this.#names);
    this.#callsFor = callsBelow(options.root, clock, calls === undefined);
  }

  /** Rejects with UnreadableBody, NotLookedFor or the error of the system; then there is no file. */
  async write(
    maildir: string,
    recipients: readonly Recipient[],
    batch: Batch,
    signal: AbortSignal,
  ): Promise<Written> {
    const { copies, lanes } = this.#disks;
    const lane = lanes.lane(maildir, this.#options.root);
    const copy = `${batch.envelope.id} ${maildir}`;
    const left = copies.find(copy);
    if (left !== undefined) {
      const path = left.path ?? (lane.isHung ? undefined : await this.#soon(left.written));
      if (path === undefined) return this.#hangs(lane, true);
      copies.forget(copy);
      return { kind: "written", path };
    }
    if (!lane.admits()) return this.#hangs(lane, false);
    try {
      const written = lane.run((turn) => this.#write(lane, turn, recipients, batch, signal));
      const path = await written;
      // The caller that aborted may not have waited for the copy, so the next attempt must find it.
      if (signal.aborted) copies.leave(copy, written);
      return { kind: "written", path };
    } catch (error) {
      if (!(error instanceof FileSystemHangs)) throw error;
      if (error.underWay !== undefined) copies.leave(copy, error.underWay);
      return this.#hangs(lane, error.underWay !== undefined);
    }
  }

  #hangs(lane: MaildirLane, isUnderWay: boolean): Written {
    this.#maildirs.forget(lane.directory);
    return { kind: "hangs", lane, isUnderWay };
  }

  /** The path of a copy that is still being written; undefined if it fails or takes LATE_MAX. */
  async #soon(written: Promise<string>): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const timer = this.#clock.after(LATE_MAX, () => resolve(undefined));
    try {
      return await Promise.race([written, promise]);
    } catch {
      return undefined;
    } finally {
      timer.cancel();
    }
  }

  async #write(
    { directory: maildir }: MaildirLane,
    turn: DiskTurn,
    recipients: readonly Recipient[],
    { envelope, body, interrupted }: Batch,
    signal: AbortSignal,
  ): Promise<string> {
    const now = this.#clock.now();
    const head = Buffer.from(deliveryHeaders(this.#headers, envelope.sender, recipients, now));
    const key = this.#names.key(envelope);
    const calls = this.#callsFor(maildir, turn);
    const target = { maildir, calls, signal };
    try {
      const earlier = interrupted ? await this.#earlier(target, key) : undefined;
      const path = earlier ?? (await this.#maildirs.write(target, { key, head, body }));
      calls.end?.();
      return path;
    } catch (error) {
      calls.end?.(error);
      throw error;
    }
  }

  async #earlier(target: Target, key: string): Promise<string | undefined> {
    try {
      return await this.#maildirs.find(target, key);
    } catch (error) {
      throw new NotLookedFor("whether the copy is there cannot be seen", { cause: error });
    }
  }
}
