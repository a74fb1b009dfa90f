// The reason why a file cannot be read, in words for the postmaster.

import { errorCode } from "./error-code.ts";

const CAUSES: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EISDIR: "it is a directory",
};

/** "cannot read /etc/x: permission denied". */
export function cannotRead(file: string, error: unknown): string {
  const code = errorCode(error);
  return `cannot read ${file}: ${code === undefined ? messageOf(error) : (CAUSES[code] ?? code)}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
