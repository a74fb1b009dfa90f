// An outbox for tests that look at what is written, not at what becomes of it in a spool.

import { loadLibraries, Outbox } from "../../src/outbox/outbox.ts";
import type { RecordingLog } from "./services.ts";

// As in a running relay, none of them is the first.
await loadLibraries([]);

function receive(): never {
  throw new Error("there is no spool");
}

/** Its messages have the ids that `nextId` gives. */
export function outboxOf(nextId: () => string, log: RecordingLog): Outbox {
  const services = { spool: { nextId, receive }, log, wake: () => undefined };
  return new Outbox({ hostname: "mx.example.com", dkim: [] }, services);
}
