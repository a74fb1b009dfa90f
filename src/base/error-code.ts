// How errors of the system and of Node are told apart, and named.
//
// Invariant: an error of the system has its name here, also where libuv lacks one: Node calls such an error
// "Unknown system error -122".

import { constants } from "node:os";

/** Linux names that neither libuv nor Node has. */
const LINUX = { EUCLEAN: 117, EREMOTEIO: 121, ENOMEDIUM: 123 } as const;

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries({ ...(process.platform === "linux" ? LINUX : {}), ...constants.errno }).map(
    ([name, number]) => [number, name],
  ),
);

const UNNAMED = /Unknown system error -(\d+)/g;

/** "ENOSPC", "EDQUOT", "ERR_TLS_CERT_ALTNAME_INVALID"; undefined for an error that has no such code. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? withErrorNames(error.code) : undefined;
}

/** The text with names in the place of the numbers that Node writes: "EDQUOT" for "Unknown system error -122". */
export function withErrorNames(text: string): string {
  return text.replaceAll(
    UNNAMED,
    (unknown, number: string) => NAMES.get(Number(number)) ?? unknown,
  );
}
