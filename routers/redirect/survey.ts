// What `relayctl check` says of an alias file, each with its line: entries that put their mail off, and entries that no
// address has.

import type { RouterSurvey } from "../../src/contract/contract.ts";
import { type ListEntry, surveyList } from "../../src/lists/list-survey.ts";
import { parseMailbox } from "../../src/mail/address.ts";
import { readAliasEntry } from "./entry.ts";

/** Of a file that is no alias file, not every line is named. */
const NAMED_MAX = 100;

/** `qualifyDomain` is that of new names without one; any will do for a look at the entries. */
export async function surveyAliases(
  file: string,
  spoolDirectory: string,
  qualifyDomain = "example.com",
): Promise<RouterSurvey> {
  const { entries, doubts, indented } = await surveyList(file, spoolDirectory);
  const found = [
    ...entries.flatMap((entry) => {
      const doubt = doubtOf(entry, qualifyDomain);
      return doubt === undefined ? [] : [{ line: entry.line, doubt: `"${entry.key}": ${doubt}` }];
    }),
    ...indented
      .filter(({ line }) => entries.every((entry) => entry.line > line))
      .map(({ line, text }) => ({
        line,
        doubt: `${JSON.stringify(text)} stands behind a blank, and there is no entry above that it continues`,
      })),
  ].toSorted((a, b) => a.line - b.line);
  const named = found.slice(0, NAMED_MAX).map(({ line, doubt }) => `${file}:${line}: ${doubt}`);
  const rest = found.length - named.length;
  return {
    doubts: [
      ...doubts,
      ...named,
      ...(rest === 0 ? [] : [`${file}: and ${rest} more of that kind`]),
    ],
    addresses: entries.map(({ key, line }) => ({ at: `${file}:${line}: "${key}"`, name: key })),
  };
}

function doubtOf({ key, value }: ListEntry, qualifyDomain: string): string | undefined {
  if (key.includes("@") && parseMailbox(key) === undefined)
    return "is no address: no mail is for it";
  const entry = readAliasEntry(value, qualifyDomain, qualifyDomain);
  if (!("wrong" in entry)) return undefined;
  return `${JSON.stringify(entry.wrong)} ${entry.why}: mail for it is put off`;
}
