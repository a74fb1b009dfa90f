// The tables of all events, in the order of docs/events.md.

import { transportEvents } from "../transports/smtp/events.ts";
import { listEvents } from "./lists/events.ts";
import { maildirEvents } from "./disks/events.ts";
import type { EventTable } from "./observe/event.ts";
import { commonEvents } from "./observe/events.ts";
import { outboxEvents } from "./outbox/events.ts";
import { parts } from "./parts.ts";
import { queueEvents } from "./queue/events.ts";
import { receiveEvents } from "./receive/events.ts";
import { runEvents } from "./run/events.ts";
import { settleEvents } from "./settle/events.ts";
import { sessionEvents } from "./smtp/server/events.ts";
import { spoolEvents } from "./spool/events.ts";

export const eventTables: readonly EventTable[] = [
  commonEvents,
  runEvents,
  sessionEvents,
  receiveEvents,
  settleEvents,
  queueEvents,
  outboxEvents,
  spoolEvents,
  listEvents,
  maildirEvents,
  transportEvents,
  ...parts.flatMap(({ events }) => events ?? []),
];
