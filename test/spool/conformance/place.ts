// A spool of any engine, with a clock that stands still, and messages for it.

import assert from "node:assert/strict";
import type { Envelope, Mailbox, RecipientRequest } from "../../../src/mail/envelope.ts";
import type { QueueView } from "../../../src/spool/queue-view.ts";
import type { SpoolEngine } from "../../../src/spool/engine/spool-engine.ts";
import type {
  NewMessage,
  NewReport,
  RecipientChange,
  Settlement,
  Spool,
  StoredMessage,
} from "../../../src/spool/spool.ts";
import { manualClock, type ManualClock } from "../../support/clock.ts";
import { mailbox } from "../../support/build.ts";
import { type RecordingLog, recordingLog } from "../../support/services.ts";

/** An engine under test, and a directory in which it has no spool yet. */
export interface Given extends AsyncDisposable {
  readonly engine: SpoolEngine;
  readonly directory: string;
  /** A directory with what a kill at this moment would leave. Absent when nothing is promised of that. */
  readonly killed?: () => Promise<string>;
}

export type SetUp = () => Promise<Given>;

export interface Place extends Given {
  readonly clock: ManualClock;
  readonly log: RecordingLog;
  /** As it was opened first. */
  readonly spool: Spool;
  /** Closes the spool and opens it again. */
  readonly again: () => Promise<Spool>;
  readonly open: (directory?: string) => Promise<Spool>;
  readonly look: <T>(at: (view: QueueView) => Promise<T>) => Promise<T>;
}

export type InSpool = (play: (place: Place) => Promise<void>) => () => Promise<void>;

/** Runs a test in a new spool. What it has opened is closed at its end. */
export function inSpoolOf(setUp: SetUp): InSpool {
  return (play) => async () => {
    await using given = await setUp();
    const clock = manualClock();
    const log = recordingLog();
    const opened: Spool[] = [];
    const open = async (directory = given.directory) => {
      const spool = await given.engine.open(directory, { clock, log });
      opened.push(spool);
      return spool;
    };
    const look: Place["look"] = async (at) => {
      await using view = await given.engine.view(given.directory);
      assert.ok(view);
      return await at(view);
    };
    const again = async () => {
      await opened.at(-1)?.close();
      return open();
    };
    try {
      const spool = await open();
      await play({ ...given, clock, log, spool, open, look, again });
    } finally {
      await Promise.all(opened.map((spool) => spool.close()));
    }
  };
}

export const alice = mailbox("alice@example.com");
export const bob: Mailbox = { address: '"b b"@b.test', localPart: "b b", domain: "b.test" };

export interface Written {
  readonly content?: string | Buffer;
  readonly active?: boolean;
  readonly recipients?: readonly RecipientRequest[];
  readonly vouched?: boolean;
  readonly envelope?: Partial<Envelope>;
}

/** To alice and bob, from alice, received now. */
export function newMessage(
  id: string,
  clock: ManualClock,
  { recipients, vouched, envelope }: Written = {},
): NewMessage {
  return {
    envelope: {
      id,
      sender: alice,
      client: { address: "192.0.2.1", helo: "client.test" },
      receivedAt: clock.now(),
      eightBit: true,
      smtputf8: false,
      ...envelope,
    },
    recipients: recipients ?? [{ mailbox: alice }, { mailbox: bob }],
    ...(vouched === undefined ? {} : { vouched }),
  };
}

export function newReport(id: string, clock: ManualClock, content: string): NewReport {
  const envelope = { sender: null };
  const message = newMessage(id, clock, { recipients: [{ mailbox: alice }], envelope });
  return { ...message, bytes: Buffer.from(content) };
}

/** In pieces, as it comes from a client. */
export async function enter(
  { spool, clock }: Pick<Place, "spool" | "clock">,
  written: Written = {},
): Promise<StoredMessage> {
  const id = written.envelope?.id ?? spool.nextId();
  const incoming = spool.receive(id);
  const bytes = Buffer.from(written.content ?? "x");
  for (let from = 0; from < bytes.length; from += 10_000) {
    await incoming.write(Buffer.from(bytes.subarray(from, from + 10_000)));
  }
  return incoming.commit(newMessage(id, clock, written), written.active ?? false);
}

/** The id of a message that was attempted and waits for an hour, but for what `changes` say. */
export async function waiting(
  place: Pick<Place, "spool" | "clock">,
  changes: readonly Partial<RecipientChange>[] = [{}, {}],
  more: Partial<Settlement> & { readonly written?: Written } = {},
): Promise<string> {
  const { written, ...settlement } = more;
  const { envelope } = await enter(place, { ...written, active: true });
  const recipients = changes.map((one, position) => change(place.clock, { position, ...one }));
  await place.spool.settle(
    settled(place.clock, envelope.id, "queued", { recipients, ...settlement }),
  );
  return envelope.id;
}

export const HOUR = 3_600_000;

export function change(
  clock: ManualClock,
  given: Partial<RecipientChange> & Pick<RecipientChange, "position">,
): RecipientChange {
  const now = clock.now();
  return {
    state: "pending",
    attempts: 1,
    firstFailure: now - 1,
    nextAttempt: now + HOUR,
    ...given,
  };
}

export function settled(
  clock: ManualClock,
  id: string,
  state: Settlement["state"],
  more: Partial<Settlement> = {},
): Settlement {
  const nothing = { recipients: [], journal: [], warnings: 0, reports: [] };
  return { id, at: clock.now(), state, ...nothing, ...more };
}

export async function bytesOf({ body }: StoredMessage): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(body.chunks()));
}

/** Compares bodies without the difference in words, which takes gigabytes of memory for a large body. */
export async function assertBytes(message: StoredMessage, expected: Buffer | undefined) {
  const bytes = await bytesOf(message);
  const what = `${bytes.length} octets are not the ${expected?.length}`;
  assert.ok(expected !== undefined && bytes.equals(expected), what);
}

export function idsOf(messages: readonly StoredMessage[]): string[] {
  return messages.map(({ envelope }) => envelope.id);
}

/** The message as it stands in the queue; undefined when it is not there. */
export function stored({ look }: Pick<Place, "look">, id: string) {
  return look((view) => view.message(id));
}

/** All of it but the body. */
export function withoutBody(message: StoredMessage): Omit<StoredMessage, "body"> {
  const { body: _, ...rest } = message;
  return rest;
}

/** "queued pending frozen": of the message and of its recipients. */
export async function statesOf(place: Pick<Place, "look">, id: string): Promise<string> {
  const message = await stored(place, id);
  if (message === undefined) return "gone";
  return [message.state, ...message.recipients.map(({ state }) => state)].join(" ");
}
