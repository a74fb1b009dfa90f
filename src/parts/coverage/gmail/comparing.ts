// One comparison from its beginning to its end: the archive is read, then the mailbox; what is on one side only is
// looked for again.
//
// Invariant: a message is reported as missing only after a look of its own on the side that lacks it. So a message that
// came, moved or was renamed meanwhile, or lies just outside of the time, is no false alarm.

import type { Clock } from "../../../base/clock.ts";
import { inLanes } from "../lanes.ts";
import { type Archive, type ArchiveMessage, uniqueName } from "./archive.ts";
import { Comparison, MARGIN } from "./compare.ts";
import type { Mailbox } from "./mailbox.ts";

const DAY = 24 * 3_600_000;
/** Milliseconds before the time in which the archive may have the partners of messages in the mailbox. */
const ARCHIVE_MARGIN = 31 * DAY;
/** Milliseconds before the comparison began in which files are looked at again. */
const RECENT = 3_600_000;
/** Requests to the Gmail API at a time. */
const LANES = 8;
/** Messages that are searched for one by one. */
const SEARCHES_MAX = 2000;
/** Messages of the archive that are compared. */
const MESSAGES_MAX = 1_000_000;

export interface Compared {
  readonly comparison: Comparison;
  /** Messages that were in the list and gone a moment later. */
  readonly vanished: number;
  /** Messages that were reported as missing at Google without a search for each. */
  readonly unsearched: number;
}

export class TooManyMessages extends Error {}

/** Throws GoogleError, and TooManyMessages. */
export async function compared(
  { archive, mailbox }: { readonly archive: Archive; readonly mailbox: Mailbox },
  since: number,
  clock: Pick<Clock, "now">,
  progress: (what: string, count: number) => void,
): Promise<Compared> {
  const begun = clock.now();
  const comparison = new Comparison(since);
  let count = 0;
  const step = (what: string) => progress(what, ++count);
  const isInTime = (time: number) => time >= since;
  const recent = new Set<string>();
  await archive.messages(isInTime, (message) => {
    if (count >= MESSAGES_MAX) throw new TooManyMessages();
    if (message.time >= begun - RECENT) recent.add(uniqueName(message.name));
    comparison.addArchived(message);
    step("messages of the archive");
  });
  count = 0;
  let vanished = 0;
  const read = new Set<string>();
  await inLanes(mailbox.idsSince(since - MARGIN), LANES, async (id) => {
    const message = await mailbox.message(id);
    if (message === undefined) vanished++;
    else {
      read.add(id);
      comparison.addMail(message);
    }
    step("messages of the mailbox");
  });
  comparison.pairTheRest();
  if (comparison.onlyMail.length > 0) {
    const look = comparison.secondLook();
    count = 0;
    const isElsewhere = (time: number) =>
      (time < since && time >= since - ARCHIVE_MARGIN) || time >= begun - RECENT;
    await archive.messages(isElsewhere, (message) => {
      const isNew = message.time < since || !recent.has(uniqueName(message.name));
      if (isNew) look.found(message);
      step("messages of the archive, once more");
    });
    look.end();
  }
  count = 0;
  const wanted = comparison.onlyArchived.filter(({ ids }) => ids.length > 0);
  await inLanes(wanted.slice(0, SEARCHES_MAX), LANES, async (archived) => {
    await search(archived, { mailbox, read, comparison });
    step("searches in the mailbox");
  });
  return { comparison, vanished, unsearched: Math.max(0, wanted.length - SEARCHES_MAX) };
}

interface Searching {
  readonly mailbox: Mailbox;
  /** Google's names of messages that have been compared. */
  readonly read: ReadonlySet<string>;
  readonly comparison: Comparison;
}

async function search(
  archived: ArchiveMessage,
  { mailbox, read, comparison }: Searching,
): Promise<void> {
  const [messageId = ""] = archived.ids;
  for (const id of await mailbox.search(messageId)) {
    if (read.has(id)) continue;
    const mail = await mailbox.message(id);
    if (mail !== undefined && comparison.foundMail(archived, mail)) return;
  }
}
