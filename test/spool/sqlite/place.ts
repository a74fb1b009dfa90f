// A spool in a directory of its own, and messages for it.

import assert from "node:assert/strict";
import { closeSync, openSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../src/base/clock.ts";
import type { EventName } from "../../../src/observe/events.ts";
import type { NewMessage, Settlement, StoredMessage } from "../../../src/spool/spool.ts";
import { INLINE_MAX } from "../../../src/spool/sqlite/body.ts";
import { SqliteSpool } from "../../../src/spool/sqlite/sqlite.ts";
import { type RecordingLog, recordingLog } from "../../support/services.ts";

export const alice = { address: "alice@example.com", localPart: "alice", domain: "example.com" };
export const bob = { address: '"b b"@b.test', localPart: "b b", domain: "b.test" };

type Means = Parameters<typeof SqliteSpool.open>[3];

export interface Place {
  directory: string;
  /** Names of what was logged. */
  events: EventName[];
  log: RecordingLog;
  /** Closed at the end if the test has not. */
  open: (means?: Means) => Promise<SqliteSpool>;
}

export async function inPlace(play: (place: Place) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "unseen-spool-"));
  const events: EventName[] = [];
  const recording = recordingLog();
  const log: RecordingLog = {
    ...recording,
    event(name, fields) {
      events.push(name);
      recording.event(name, fields);
    },
  };
  const opened: SqliteSpool[] = [];
  const open = async (means?: Means) => {
    const spool = await SqliteSpool.open(directory, systemClock, log, means);
    opened.push(spool);
    return spool;
  };
  try {
    await play({ directory, events, log, open });
  } finally {
    await Promise.all(opened.map((spool) => spool.close()));
    await rm(directory, { recursive: true });
  }
}

export async function store(
  spool: SqliteSpool,
  content: string | Buffer,
  active = false,
  given: Partial<NewMessage["envelope"]> = {},
): Promise<StoredMessage> {
  const id = spool.nextId();
  const incoming = spool.receive(id);
  const bytes = Buffer.from(content);
  for (let from = 0; from < bytes.length; from += 10_000) {
    await incoming.write(Buffer.from(bytes.subarray(from, from + 10_000)));
  }
  const message: NewMessage = {
    envelope: {
      id,
      sender: alice,
      client: { address: "192.0.2.1", helo: "client.test" },
      receivedAt: Date.now(),
      eightBit: true,
      smtputf8: false,
      envid: "x+2By",
      ...given,
    },
    recipients: [{ mailbox: alice }, { mailbox: bob, notify: "NEVER", orcpt: "rfc822;x" }],
  };
  return incoming.commit(message, active);
}

export async function bytesOf({ body }: StoredMessage): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(body.chunks()));
}

/** Compares bodies without the difference in words, which takes gigabytes of memory for a body of 256 KiB. */
export async function assertBytes(
  message: StoredMessage | undefined,
  expected: Buffer | undefined,
): Promise<void> {
  const bytes = message && (await bytesOf(message));
  const what = `${bytes?.length} octets are not the ${expected?.length}`;
  assert.ok(bytes !== undefined && expected !== undefined && bytes.equals(expected), what);
}

export function settled(
  id: string,
  state: Settlement["state"],
  more: Partial<Settlement> = {},
): Settlement {
  const nothing = { recipients: [], journal: [], warnings: 0, reports: [] };
  return { id, at: Date.now(), state, ...nothing, ...more };
}

export const big = Buffer.from("0123456789abcde\n".repeat(INLINE_MAX / 16 + 1000));

const PAGE = 8192;
const NOISE = Buffer.from(Array.from({ length: PAGE }, (_, i) => (i * 7919 + 13) % 251));

/** Overwrites the pages of the database from `from` up to, and without, `to`. */
export function overwritePages({ directory }: Pick<Place, "directory">, from: number, to: number) {
  const descriptor = openSync(join(directory, "spool.sqlite"), "r+");
  for (let page = from; page < to; page++) writeSync(descriptor, NOISE, 0, PAGE, page * PAGE);
  closeSync(descriptor);
}
