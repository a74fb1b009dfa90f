// relayctl trace: the whole story of one message, or of all mail from and to an address. It is read from the history
// and the queue, while a relay is running or not.

import { given } from "../base/given.ts";
import type { Given } from "../contract/command.ts";
import { systemClock } from "../base/clock.ts";
import { becomeOwnerOf } from "../base/users.ts";
import { NULL_SENDER } from "../observe/history/event-keys.ts";
import { HistoryReader, type Story } from "../observe/history/read.ts";
import { describeError } from "../observe/log.ts";
import { parseMailbox } from "../mail/address.ts";
import type { Filter, StoredMessage } from "../spool/spool.ts";
import type { QueueView } from "../spool/queue-view.ts";
import { CommandError, EXIT } from "../contract/exit.ts";
import { messageObject } from "./queue/format.ts";
import { openQueue } from "./queue/open.ts";
import { findQueue } from "./queue/place.ts";
import { print, printJson, warn } from "../base/terminal.ts";
import { eventObject, headLine, storyLines } from "./trace/story.ts";
import { eventsOf, stateText, waitingEntries } from "./trace/pending-text.ts";

export interface TraceOptions extends Given {
  /** Milliseconds. */
  readonly since?: number | undefined;
  readonly limit: number;
}

interface Told extends Story {
  /** The message as it is in the queue. */
  readonly queued?: StoredMessage;
}

/** Exit 1 when neither the history nor the queue has anything. */
export async function traceCommand(what: string, options: TraceOptions): Promise<number> {
  const address = addressOf(what);
  if (address === undefined && !/^[0-9a-z]{10}$/.test(what)) {
    throw new CommandError(`"${what}" is neither an id nor an address`, EXIT.usage);
  }
  const { relay } = await findQueue(options.config);
  const now = systemClock.now();
  using history = openHistory(relay.spool_directory);
  await using queue = await openQueue(relay.spool_directory);
  const held = new Set((await queue?.holds())?.map(({ domain }) => domain));
  const stories =
    address === undefined
      ? [await told(history.story(what), queue)]
      : storiesOf(address, { history, queue }, options, now);
  let count = 0;
  for await (const story of stories) {
    if (story.events.length === 0) continue;
    if (count++ === options.limit) {
      if (!options.json) await print(`\nThere is more: --limit ${options.limit * 10}\n`);
      break;
    }
    if (options.json) await printJson(storyObject(story, now, held));
    else await print(`${count > 1 ? "\n" : ""}${storyText(story, now, held)}\n`);
  }
  if (count > 0) return EXIT.ok;
  throw new CommandError(`${what}: nothing is known of it`, EXIT.notDone);
}

/**
 * The address in the form in which the history is searched: "<>" for the null sender. Undefined if `what` is not an
 * address.
 */
function addressOf(what: string): string | undefined {
  if (what === NULL_SENDER) return what;
  return what.includes("@") ? parseMailbox(what.replace(/^<(.*)>$/, "$1"))?.address : undefined;
}

export function openHistory(directory: string): HistoryReader {
  try {
    becomeOwnerOf(directory);
    return new HistoryReader(directory, (day) => {
      warn(`relayctl: the history of ${day} is damaged, and left out`);
    });
  } catch (error) {
    throw new CommandError(`cannot read the history: ${describeError(error)}`, EXIT.unavailable);
  }
}

interface Sources {
  readonly history: HistoryReader;
  readonly queue: QueueView | undefined;
}

/** Newest first. Messages that have waited longer than the history is kept come last. */
async function* storiesOf(
  address: string,
  { history, queue }: Sources,
  { since }: TraceOptions,
  now: number,
): AsyncIterable<Told> {
  const isRecent = ({ events }: Story) => now - (events.at(-1)?.at ?? 0) <= (since ?? Infinity);
  const seen = new Set<string>();
  for (const story of history.stories(address)) {
    if (story.id !== undefined) seen.add(story.id);
    if (isRecent(story)) yield await told(story, queue);
  }
  const rest = new Set<string>();
  for (const filter of filtersFor(address)) {
    for await (const ids of queue?.ids(filter) ?? []) {
      for (const id of ids) if (!seen.has(id)) rest.add(id);
    }
  }
  for (const id of [...rest].toSorted().toReversed()) {
    const story = await told({ id, events: [] }, queue);
    if (isRecent(story)) yield story;
  }
}

function filtersFor(address: string): readonly Filter[] {
  if (address === NULL_SENDER) return [{ sender: null }];
  const mailbox = parseMailbox(address);
  if (mailbox === undefined) return [];
  const { domain, localPart } = mailbox;
  return [{ sender: { domain, localPart } }, { recipient: { domain, localPart } }];
}

async function told(story: Story, queue: QueueView | undefined): Promise<Told> {
  const queued = story.id === undefined ? undefined : await queuedMessage(story.id, queue);
  if (queued === undefined) return story;
  return { ...story, queued, events: story.events.length > 0 ? story.events : eventsOf(queued) };
}

/** A message that cannot be read is left out here; `queue show` reports the error. */
async function queuedMessage(
  id: string,
  queue: QueueView | undefined,
): Promise<StoredMessage | undefined> {
  try {
    return await queue?.message(id);
  } catch (error) {
    warn(`relayctl: ${id} cannot be read: ${describeError(error)}`);
    return undefined;
  }
}

function storyText(story: Told, now: number, held: ReadonlySet<string>): string {
  const { queued } = story;
  const waiting = queued === undefined ? [] : waitingEntries(queued, now, held);
  const head = headLine(story, queued === undefined ? undefined : stateText(queued));
  const { leftOut } = story;
  const more = leftOut === undefined ? [] : [`And ${leftOut} more events, which only the log has.`];
  return [head, ...storyLines(story, waiting, now), ...more].join("\n");
}

function storyObject(
  { id, events, leftOut, queued }: Told,
  now: number,
  held: ReadonlySet<string>,
) {
  return {
    id: id ?? null,
    events: events.map(eventObject),
    ...given({ left_out: leftOut }),
    queued: queued === undefined ? null : messageObject(queued, now, held),
  };
}
