// What an lsearch file looks like to `relayctl check`: its entries with their lines, and what is hardly meant in any such
// file, whatever it is a list of.

import { implausible } from "./belief.ts";
import type { ListSurvey } from "./lookup.ts";
import { isConfirmedList, readKeptList } from "./kept-list.ts";
import { readList } from "./list-content.ts";
import { asWritten, type LsearchTable, parseLsearch } from "./lsearch-text.ts";

/** `spoolDirectory` is where a relay keeps what it believes. Never rejects. */
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

/** Why a relay on this spool does not believe the list now. */
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
    // Only the relay's user may look there; the relay itself has its alarm.
    return undefined;
  }
}

/** Where the key above ends with a colon, the value is meant to stand on the next line. */
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
