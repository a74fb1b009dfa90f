// The codes of errors from the system and from Node.
//
// Invariant: every system error has its name here, also where libuv lacks the name and Node says "Unknown system error
// -122".

import { constants } from "node:os";

/** Linux error names that are missing in both libuv and Node. */
const LINUX = { EUCLEAN: 117, EREMOTEIO: 121, ENOMEDIUM: 123 } as const;

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries({ ...(process.platform === "linux" ? LINUX : {}), ...constants.errno }).map(
    ([name, number]) => [number, name],
  ),
);

const UNNAMED = /Unknown system error -(\d+)/g;

/**
 * The error's code, such as "ENOSPC", "EDQUOT", "ERR_TLS_CERT_ALTNAME_INVALID". Undefined for an error without a code.
 */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? withErrorNames(error.code) : undefined;
}

/** The text with error names in place of the numbers that Node writes: "EDQUOT" for "Unknown system error -122". */
export function withErrorNames(text: string): string {
  return text.replaceAll(
    UNNAMED,
    (unknown, number: string) => NAMES.get(Number(number)) ?? unknown,
  );
}
