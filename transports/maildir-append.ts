// maildir-append: writes one message as one file into a Maildir, whatever the number of recipients that lead there.
// The file has the headers of the delivery, then the bytes of the message with LF line ends. src/maildir/ writes it to
// the disk.
//
// Invariant: a copy is delivered or deferred, never failed, so it never causes a bounce.

import { declared, fileMode, flag, options, parsedText } from "../src/options/options.ts";
import { type Option, type Values, withDefault } from "../src/options/options.ts";
import type { Batch, Outcome, Recipient, Services } from "../src/contract/contract.ts";
import type { Transport, TransportDriver } from "../src/contract/contract.ts";
import type { RecipientId } from "../src/mail/envelope.ts";
import { describeError } from "../src/observe/log.ts";
import { errorCode } from "../src/base/error-code.ts";
import type { FileCalls } from "../src/base/durable/file-calls.ts";
import type { MaildirLane } from "../src/disks/maildir-disks.ts";
import { CopyWriter, NotLookedFor, UnreadableBody } from "../src/maildir/maildir.ts";
import {
  type DirectoryTemplate,
  parseDirectory,
  type Unsafe,
} from "../src/maildir/placeholders.ts";
import { LOCAL_ERROR, NO_ANSWER, status } from "../src/mail/status.ts";
import type { WrittenDirectory } from "../src/base/durable/directory.ts";

function directory(doc: string): Option<DirectoryTemplate> {
  return declared("path with placeholders", { doc, isPath: true }, (value) =>
    typeof value === "string" ? parseDirectory(value) : { wrong: "must be a path" },
  );
}

/**
 * No slash and no colon, which have a meaning in a Maildir. No letter or digit first, which would become a part of the
 * host name.
 */
const TAG = /^(?:[!-.;-@[-`~](?:[!-.0-9;-z~]|\{size\}){0,60})?$/;

function maildirTag(doc: string): Option<string> {
  const about = {
    doc,
    is: 'short graphic characters with no placeholder but {size}, like ",S={size}"',
  };
  return parsedText("text", about, (written) => (TAG.test(written) ? written : undefined));
}

const maildirAppendOptions = options({
  directory: directory(
    "The Maildir, with the placeholders {domain}, {local_part}, {sender_domain} and {sender_local_part}. " +
      "Their values are the canonical names of the lists that the router matched, in lower case. " +
      "For [[proxies]] there are {account}, {account_domain}, {account_local_part} and {folder} too.",
  ),
  return_path_add: withDefault(flag("Add the envelope sender on top, as Return-path."), false),
  envelope_to_add: withDefault(
    flag("Add the envelope recipients of this copy on top, as Envelope-to."),
    false,
  ),
  delivery_date_add: withDefault(flag("Add the time of delivery on top, as Delivery-date."), false),
  maildir_tag: withDefault(
    maildirTag("Text at the end of each file name. {size} is the size of the file in bytes."),
    "",
  ),
  create_directory: withDefault(flag("Make the Maildir if it is missing."), true),
  mode: withDefault(
    fileMode(
      "Permissions of the files, less the umask. Directories get the matching ones: 0700 for 0600.",
    ),
    "0600",
  ),
});

type MaildirAppendOptions = Values<typeof maildirAppendOptions>;

/**
 * Outcomes:
 * - delivered: the file is in new/, and it and its directory are synced. `place` is that file. If an interrupted
 *   attempt left the file in new/ or cur/, the file is not written again.
 * - deferred, freeze: a placeholder has no value, or its value is not a single safe path component.
 * - deferred, 452: the disk or the quota is full.
 * - deferred, 451 and the error "timeout": the file system does not answer. The copy is tried again once it does.
 * - deferred, 451: every other error of the system, and a delivery that ran out of time.
 *
 * Throws when the message's own bytes cannot be read.
 */
export const maildirAppend: TransportDriver<MaildirAppendOptions> = {
  name: "maildir-append",
  options: maildirAppendOptions,
  create: (given, services) => new MaildirAppend(given, services),
};

/** The services that copies need. */
type CopyServices = Pick<Services, "clock" | "hints" | "hostname" | "log" | "maildirDisks">;

/**
 * A transport for messages that have no envelope, because they were fetched from a mailbox: it adds no header that tells
 * an envelope. Undefined if the configured transport has another driver.
 */
export function fetchedCopies(
  configured: { readonly driver: TransportDriver; readonly options: unknown },
  services: CopyServices,
): Transport | undefined {
  if (!isMaildirAppend(configured)) return undefined;
  const given = { ...configured.options, return_path_add: false, envelope_to_add: false };
  return new MaildirAppend(given, services);
}

/** The loader has read the options by those of the driver. */
function isMaildirAppend(configured: {
  readonly driver: TransportDriver;
  readonly options: unknown;
}): configured is { readonly driver: TransportDriver; readonly options: MaildirAppendOptions } {
  return configured.driver.name === maildirAppend.name;
}

export class MaildirAppend implements Transport {
  readonly locality = "local";
  readonly directory?: WrittenDirectory;
  readonly #options: MaildirAppendOptions;
  readonly #services: CopyServices;
  readonly #copies: CopyWriter;

  constructor(given: MaildirAppendOptions, services: CopyServices, calls?: FileCalls) {
    this.#options = given;
    this.#services = services;
    const maildir = {
      root: given.directory.root,
      mode: given.mode,
      createDirectory: given.create_directory,
      tag: (size: number) => given.maildir_tag.replaceAll("{size}", String(size)),
      report: (error: unknown) => this.#report(error),
    };
    const headers = {
      returnPath: given.return_path_add,
      envelopeTo: given.envelope_to_add,
      deliveryDate: given.delivery_date_add,
    };
    this.#copies = new CopyWriter(maildir, headers, services, calls);
    if (given.create_directory) {
      this.directory = { path: given.directory.top, mode: this.#copies.directoryMode };
    }
  }

  /** The path of the Maildir. Recipients that lead to the same Maildir share one copy. */
  batchKey(recipient: Recipient): string {
    return this.destination(recipient) ?? `unsafe ${recipient.id}`;
  }

  place(recipient: Recipient): string | undefined {
    return this.destination(recipient);
  }

  destination({ account }: Recipient): string | undefined {
    const expanded = this.#options.directory.expand(account);
    return expanded.kind === "path" ? expanded.path : undefined;
  }

  async deliver(batch: Batch, signal: AbortSignal): Promise<ReadonlyMap<RecipientId, Outcome>> {
    const outcomes = new Map<RecipientId, Outcome>();
    const sharing = new Map<string, Recipient[]>();
    for (const recipient of batch.recipients) {
      const expanded = this.#options.directory.expand(recipient.account);
      if (expanded.kind === "unsafe") {
        outcomes.set(recipient.id, this.#frozen(expanded, batch.envelope.id));
        continue;
      }
      const others = sharing.get(expanded.path);
      if (others === undefined) sharing.set(expanded.path, [recipient]);
      else others.push(recipient);
    }
    for (const [maildir, recipients] of sharing) {
      const outcome = await this.#store(maildir, recipients, batch, signal);
      for (const { id } of recipients) outcomes.set(id, outcome);
    }
    return outcomes;
  }

  async #store(
    maildir: string,
    recipients: readonly Recipient[],
    batch: Batch,
    signal: AbortSignal,
  ): Promise<Outcome> {
    try {
      const written = await this.#copies.write(maildir, recipients, batch, signal);
      if (written.kind === "written") return this.#stored(maildir, written.path);
      return this.#hangs(written.lane, written.isUnderWay || batch.force);
    } catch (error) {
      if (error instanceof UnreadableBody) throw error;
      this.#report(error, batch.envelope.id);
      return deferred(error);
    }
  }

  /** Defers the copy until the file system answers. `isTried`: this counts as a failed attempt. */
  #hangs(lane: MaildirLane, isTried: boolean): Outcome {
    const { hints, clock } = this.#services;
    const tried = isTried ? {} : ({ untried: true } as const);
    const failure = { status: NO_ANSWER, error: "timeout" } as const;
    const outcome = { kind: "deferred", ...failure, ...tried, scope: "recipient" } as const;
    if (!lane.isHung) return { ...outcome, notBefore: clock.now() + SUSPECT_PAUSE };
    const host = "maildir";
    const key = hintKey(lane.directory);
    const notBefore = hints.failed(key, { ...failure, host, domain: "" });
    lane.onceAnswered(key, () => hints.succeeded(key));
    return { ...outcome, notBefore, waitsFor: { key, host } };
  }

  #stored(maildir: string, path: string): Outcome {
    const { hints } = this.#services;
    const key = hints.isEmpty ? undefined : hintKey(maildir);
    // Copies that have waited since before a restart are due now.
    if (key !== undefined && hints.isInDoubt(key)) hints.succeeded(key);
    return { kind: "delivered", status: STORED, place: { kind: "file", path } };
  }

  /** The outcome for a Maildir path that is unsafe. The value itself goes to the log only. */
  #frozen({ why, value }: Unsafe, id: string): Outcome {
    this.#report(`${why}: ${JSON.stringify(value)}`, id);
    return { kind: "deferred", status: status(451, "3.5", why), scope: "recipient", freeze: true };
  }

  #report(error: unknown, id?: string): void {
    const where = `maildir-append ${this.#options.directory.written}`;
    const fields = { where, error: describeError(error) };
    this.#services.log.event("relay.error", id === undefined ? fields : { id, ...fields });
  }
}

const STORED = status(250, "0.0", "stored");
const DISK_FULL = status(452, "3.1", "Insufficient system storage");
const OVER_QUOTA = status(452, "2.2", "Mailbox full");
/** Milliseconds until the next attempt, if the Maildir itself does not hang but its lane admits no more copies. */
const SUSPECT_PAUSE = 60_000;

function hintKey(maildir: string): string {
  return `maildir ${maildir}`;
}

function deferred(error: unknown): Outcome {
  // This status makes the next attempt look for the copy, too.
  if (error instanceof NotLookedFor) {
    return { kind: "deferred", status: NO_ANSWER, scope: "recipient" };
  }
  const code = errorCode(error);
  if (code === "EDQUOT") {
    return { kind: "deferred", status: OVER_QUOTA, scope: "recipient", error: "quota" };
  }
  const why = code === "ENOSPC" ? DISK_FULL : LOCAL_ERROR;
  return { kind: "deferred", status: why, scope: "recipient" };
}
