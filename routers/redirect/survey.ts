// The warnings of `relayctl check` about an alias file, each with its line: entries that defer their mail, and entries
// that no address matches.

import type { RouterSurvey } from "../../src/contract/contract.ts";
import { surveyList } from "../../src/lists/list-survey.ts";
import type { ListEntry } from "../../src/lists/lookup.ts";
import { parseMailbox } from "../../src/mail/address.ts";
import { readAliasEntry } from "./entry.ts";

/** Warnings for one file, at most: a file that is not an alias file would give one for each line. */
const NAMED_MAX = 100;

/** `qualifyDomain` is the domain for new names without one; for a check of the entries, any domain is enough. */
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
        doubt: `${JSON.stringify(text)} has a blank before it, and continues no entry above it`,
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
    return "is not an address: no mail matches it";
  const entry = readAliasEntry(value, qualifyDomain, qualifyDomain);
  if (!("wrong" in entry)) return undefined;
  return `${JSON.stringify(entry.wrong)} ${entry.why}: mail for it is deferred`;
}
