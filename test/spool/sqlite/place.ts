// A spool in a directory of its own, and messages for it.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../src/base/clock.ts";
import type { EventName } from "../../../src/observe/events.ts";
import type { FileCalls } from "../../../src/base/durable/file-calls.ts";
import type { NewMessage, Settlement, StoredMessage } from "../../../src/spool/spool.ts";
import { INLINE_MAX } from "../../../src/spool/sqlite/body.ts";
import { SqliteSpool } from "../../../src/spool/sqlite/sqlite.ts";
import { type RecordingLog, recordingLog } from "../../support/services.ts";

export const alice = { address: "alice@example.com", localPart: "alice", domain: "example.com" };
export const bob = { address: '"b b"@b.test', localPart: "b b", domain: "b.test" };

export interface Place {
  directory: string;
  /** Names of what was logged. */
  events: EventName[];
  log: RecordingLog;
  /** Closed at the end if the test has not. */
  open: (calls?: FileCalls) => Promise<SqliteSpool>;
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
  const open = async (calls?: FileCalls) => {
    const spool = await SqliteSpool.open(directory, systemClock, log, calls);
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

export function settled(
  id: string,
  state: Settlement["state"],
  more: Partial<Settlement> = {},
): Settlement {
  const nothing = { recipients: [], journal: [], warnings: 0, reports: [] };
  return { id, at: Date.now(), state, ...nothing, ...more };
}

export const big = Buffer.from("0123456789abcde\n".repeat(INLINE_MAX / 16 + 1000));
