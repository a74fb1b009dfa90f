// Surveys an lsearch file for `relayctl check`: its entries with their lines, and probable mistakes that any such
// file may have.

import { implausible } from "./belief.ts";
import type { ListSurvey } from "./lookup.ts";
import { isConfirmedList, readKeptList } from "./kept-list.ts";
import { readList } from "./list-content.ts";
import { asWritten, type LsearchTable, parseLsearch } from "./lsearch-text.ts";

/** Reads and surveys the file. `spoolDirectory` has the relay's copies of believed lists. Never rejects. */
export async function surveyList(path: string, spoolDirectory: string): Promise<ListSurvey> {
  const { content } = await readList(path);
  if (!("text" in content)) {
    const error = "error" in content ? content.error : content.unsound;
    const why = error.replace(/, \w+ '.*'$/, "");
    const doubt = `${path}: mail is put off until this can be read: ${why}`;
    return { entries: [], doubts: [doubt], indented: [] };
  }
  const { text } = content;
  const lines = new Map<string, number>();
  const table = await parseLsearch(text, (key, value, line) => {
    lines.set(key, line);
    return asWritten(key, value, line);
  });
  const doubt = await disbelief(path, spoolDirectory, { table, text });
  return {
    entries: Array.from(table, ([key, value]) => ({ key, value, line: lines.get(key) ?? 0 })),
    doubts: doubt === undefined ? [] : [`${path}: ${doubt}`],
    indented: indentedLines(text),
  };
}

/** Why a relay on this spool does not believe the list now; undefined if it does. */
async function disbelief(
  path: string,
  spoolDirectory: string,
  { table, text }: { readonly table: LsearchTable; readonly text: string },
): Promise<string | undefined> {
  try {
    const kept = await readKeptList(spoolDirectory, path);
    if (kept === undefined) return undefined;
    const why = implausible(await parseLsearch(kept, asWritten), table);
    if (why === undefined || (await isConfirmedList(spoolDirectory, path, text))) return undefined;
    return `the relay does not believe it: it ${why}`;
  } catch {
    // Only the relay's user may read the copies. The relay itself logs an alarm.
    return undefined;
  }
}

/** The lines that begin with white space. After a line that ends with a colon or a comma, such a line is meant. */
function indentedLines(text: string): ListSurvey["indented"] {
  const indented: { line: number; text: string }[] = [];
  let above = "";
  for (const [index, written] of text.split("\n").entries()) {
    const line = written.trimEnd();
    if (line === "" || line.startsWith("#")) continue;
    if (/^\s/.test(line) && !/[:,]$/.test(above)) {
      indented.push({ line: index + 1, text: line.trim() });
    }
    above = line;
  }
  return indented;
}
