// What a verification can find, and which of it is a fault.

type FileFinding =
  /** The manifest has it, and no folder of its account. */
  | "missing"
  /** Its octets are not those of the manifest. */
  | "changed"
  /** The manifest does not have it. */
  | "unknown"
  /** It is no regular file, or the system cannot read it. */
  | "unreadable"
  /** It has come in the last five minutes, and is not indexed yet. */
  | "new"
  /** The manifest has it in another folder of the account. */
  | "moved"
  /** Retention or an erasure is deleting it. */
  | "going";

export type Finding =
  | { readonly what: FileFinding; readonly path: string }
  /** This line, or the line before it, was changed, added or taken out. 0: there are more than can be named. */
  | { readonly what: "broken"; readonly path: string; readonly line: number }
  /** A line was being written when its process died. It was never acknowledged. */
  | { readonly what: "torn"; readonly path: string; readonly line: number }
  /** No line has this hash any more: lines at the end were taken out, or all were written anew. */
  | { readonly what: "cut"; readonly path: string; readonly hash: string };

const FAULTS: ReadonlySet<Finding["what"]> = new Set([
  "missing",
  "changed",
  "unknown",
  "unreadable",
  "broken",
  "cut",
]);

export function isFault({ what }: Finding): boolean {
  return FAULTS.has(what);
}
