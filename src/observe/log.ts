// The log: one JSON line for each event on stdout, with names and fields from the closed vocabulary in events.ts. Text
// from peers is only data here: characters that could end a line or change how it is shown are escaped. So a reply can
// never forge a line.

import type { Clock } from "../base/clock.ts";
import { withErrorNames } from "../base/error-code.ts";
import type { EventName, Events } from "./events.ts";
import { jsonLine } from "../base/printable.ts";

export interface Log {
  event<Name extends EventName>(name: Name, fields: Events[Name]): void;
}

export interface LineSink {
  /** `source` is the id of the message that the line is about, or else the client. Absent if it is about neither. */
  write(line: string, source?: string): unknown;
}

export function createLog(clock: Clock, sink: LineSink): Log {
  return {
    event(name, fields) {
      const time = new Date(clock.now()).toISOString();
      const json = jsonLine(fields);
      const rest = json === "{}" ? json.slice(1) : `,${json.slice(1)}`;
      sink.write(`{"time":"${time}","event":"${name}"${rest}\n`, sourceOf(fields));
    },
  };
}

function sourceOf(fields: object): string | undefined {
  if ("id" in fields && typeof fields.id === "string") return fields.id;
  return "client" in fields && typeof fields.client === "string" ? fields.client : undefined;
}

/** An error with all its causes in one line, for the log only. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = `${error.name}: ${withErrorNames(error.message)}`;
  return error.cause === undefined ? own : `${own} (because ${describeError(error.cause)})`;
}
