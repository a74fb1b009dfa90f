// The log: one JSON line an event on stdout, names and fields from the closed vocabulary in events.ts.
// Text of peers is data here: JSON escapes control characters, so a reply can never forge a line.

import type { Clock } from "./clock.ts";
import { withErrorNames } from "./error-code.ts";
import type { EventName, Events } from "./events.ts";

export interface Log {
  event<Name extends EventName>(name: Name, fields: Events[Name]): void;
}

export interface LineSink {
  write(line: string): unknown;
}

export function createLog(clock: Clock, sink: LineSink): Log {
  return {
    event(name, fields) {
      sink.write(
        `${JSON.stringify({ time: new Date(clock.now()).toISOString(), event: name, ...fields })}\n`,
      );
    },
  };
}

/** An error with all its causes in one line, for the log only. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = `${error.name}: ${withErrorNames(error.message)}`;
  return error.cause === undefined ? own : `${own} (because ${describeError(error.cause)})`;
}
