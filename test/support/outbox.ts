// An outbox for tests of the mail that is written, without a spool.

import { loadLibraries, Outbox } from "../../src/outbox/outbox.ts";
import type { RecordingLog } from "./services.ts";

// The libraries are loaded first, as in a running relay, so that no message is the first to load them.
await loadLibraries([]);

function receive(): never {
  throw new Error("there is no spool");
}

/** Its messages have the ids that `nextId` returns. */
export function outboxOf(nextId: () => string, log: RecordingLog): Outbox {
  const services = { spool: { nextId, receive }, log, wake: () => undefined };
  return new Outbox({ hostname: "mx.example.com", dkim: [] }, services);
}
