// What a file is, by its name and its first octets.

export type FileKind = "mbox" | "eml" | "zip" | "other";

/** Octets that are looked at. */
export const KIND_OCTETS = 512;

/** A file in it, the end of an empty one, and the same with zip64. */
const ZIP = ["PK\u0003\u0004", "PK\u0005\u0006", "PK\u0006\u0006"];

/** `first` are the first octets of the file. */
export function fileKind(name: string, first: Buffer): FileKind {
  const text = first.toString("latin1");
  if (ZIP.some((begin) => text.startsWith(begin))) return "zip";
  if (/\.eml$/i.test(name)) return "eml";
  if (text.startsWith("From ")) return "mbox";
  if (/\.(?:mbox|mbx)$/i.test(name)) return "mbox";
  return "other";
}

/** The first line is a field: a name and its colon. */
export function beginsLikeMail(first: Buffer): boolean {
  return /^[!-9;-~]+[ \t]*:/.test(first.toString("latin1"));
}
