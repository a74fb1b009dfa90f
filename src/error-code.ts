// How errors of the system and of Node are told apart.

/** "ENOSPC", "ERR_TLS_CERT_ALTNAME_INVALID"; undefined of an error that has no such code. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
