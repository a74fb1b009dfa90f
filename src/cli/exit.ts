// How a command ends: sysexits(3) codes, so that systemd and scripts can tell a wrong file from a busy port.

import { printable } from "../base/printable.ts";

export const EXIT = {
  ok: 0,
  /** `queue`: a message is not there, or is being delivered just now. `reload`: a list cannot be accepted. */
  notDone: 1,
  /** `check`: something is deferred; something is refused or fails. */
  deferred: 1,
  failed: 2,
  usage: 64,
  noInput: 66,
  unavailable: 69,
  software: 70,
  temporary: 75,
  configuration: 78,
} as const;

/** Something that the user has to know, one line each, fit to be printed whatever it quotes; never a stack trace. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string | readonly string[], exitCode: number) {
    super([message].flat().map(printable).join("\n"));
    this.name = "CommandError";
    this.exitCode = exitCode;
  }
}
