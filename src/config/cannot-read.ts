// Why a file of the postmaster's cannot be read, in words for the postmaster.

const CAUSES: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EISDIR: "it is a directory",
};

/** "cannot read /etc/x: permission denied". */
export function cannotRead(file: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return `cannot read ${file}: ${CAUSES[code] ?? (code === "" ? String(error) : code)}`;
}
