// The exit codes of commands, from sysexits(3), so that systemd and scripts can tell an invalid file from a busy port.

import { printable } from "../base/printable.ts";

export const EXIT = {
  ok: 0,
  /** `queue`: a message does not exist or is under attempt. `reload`: a list cannot be accepted. */
  notDone: 1,
  /** `check`: `deferred` when something is deferred, `failed` when something is refused or fails. */
  deferred: 1,
  failed: 2,
  usage: 64,
  noInput: 66,
  unavailable: 69,
  software: 70,
  temporary: 75,
  configuration: 78,
} as const;

/** A message for the user, one or more lines, made safe to print. Never a stack trace. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string | readonly string[], exitCode: number) {
    super([message].flat().map(printable).join("\n"));
    this.name = "CommandError";
    this.exitCode = exitCode;
  }
}
