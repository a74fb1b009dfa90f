// The mark of our own exports: a file at the top of a directory, the comment of a zip. It says to an import that the files
// are those of an archive octet for octet, so their line ends are kept as they are.

import { jsonLine } from "../../../base/printable.ts";
import { isTable } from "../../../base/table.ts";

/** At the top of an exported directory. */
export const MARK_FILE = ".unseen-export";

const FIRST_LINE = "unseen archive export 1";

export interface ExportMark {
  /** So many levels of directories at the top name the account; 0 if there is only one. The folders are below. */
  readonly accountLevels: number;
  /** The question that the export answers: an export that was cut off goes on only with the same. */
  readonly query: string;
}

export function exportMarkText({ accountLevels, query }: ExportMark): string {
  return `${FIRST_LINE}\n${jsonLine({ accountLevels, query })}\n`;
}

/** Undefined if the text is none of ours. */
export function parseExportMark(text: string): ExportMark | undefined {
  const [first, second] = text.split("\n");
  if (first !== FIRST_LINE || second === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(second);
    if (!isTable(value)) return undefined;
    const { accountLevels, query } = value;
    if (typeof accountLevels !== "number" || typeof query !== "string") return undefined;
    return { accountLevels, query };
  } catch {
    return undefined;
  }
}
