// Flags without which a command of the archive cannot be meant.

import { CommandError, EXIT } from "../../../contract/exit.ts";

/** Throws CommandError (64) for a flag that is missing or blank. */
export function required(value: string | undefined, flag: string, what: string): string {
  if (value !== undefined && value.trim() !== "") return value;
  throw new CommandError(`${flag} is missing: ${what}`, EXIT.usage);
}

/** The reader's time zone, for days in queries. */
export function ownZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}
