// The account that a command names.

import { CommandError, EXIT } from "../../../contract/exit.ts";

const COMPONENT_MAX = 255;

/** In lower case, as the directories of the archive have it. Throws CommandError (64). */
export function accountOf(written: string): string {
  const account = written.toLowerCase();
  const at = account.lastIndexOf("@");
  if (at > 0 && isSafe(account.slice(0, at)) && isSafe(account.slice(at + 1))) return account;
  throw new CommandError(`"${written}" is no account: write LOCAL_PART@DOMAIN`, EXIT.usage);
}

/** The text can be the name of one directory. */
function isSafe(part: string): boolean {
  return (
    part !== "" &&
    !part.startsWith(".") &&
    !/[/\p{Cc}\p{Cs}\uFFFD\s]/u.test(part) &&
    Buffer.byteLength(part) <= COMPONENT_MAX
  );
}
