// `lsearch:FILE` in a list of names: the keys of a file.

import { resolve } from "node:path";
import { surveyList } from "./list-survey.ts";
import type { Found, NameLookup } from "./lookup.ts";
import { LsearchFile } from "./lsearch.ts";
import type { LsearchAnswer } from "./lsearch-text.ts";

export const lsearch: NameLookup = {
  scheme: "lsearch",
  of: "names",
  shown: "lsearch:FILE",
  doc:
    "looks up a key in a text file. Each line has one key, which ends at a colon or white space; `#` begins a comment line. " +
    "The text after the colon, if any, is the account that the key belongs to. The file is read " +
    "again when it changes. While it is missing or cannot be read, mail is deferred.",
  problem(file) {
    if (file === "") return "names no file";
    return file === file.trim() ? undefined : "has white space around the name of the file";
  },
  nameOf: (file, directory) => resolve(directory, file),
  open(path, services) {
    const file = new LsearchFile(path, services);
    return {
      find(keys) {
        const answer = file.read();
        return answer instanceof Promise
          ? answer.then((late) => searched(late, keys))
          : searched(answer, keys);
      },
      begin: () => void file.read(),
      accept: () => file.accept(),
      close: () => file.close(),
    };
  },
  survey: surveyList,
};

function searched(answer: LsearchAnswer, keys: readonly string[]): Found {
  if ("error" in answer) return { kind: "error", error: answer.error };
  for (const key of keys) {
    const value = answer.table.get(key);
    if (value !== undefined) return { kind: "found", key, value };
  }
  const { doubt } = answer;
  return doubt === undefined ? { kind: "none" } : { kind: "none", doubt };
}
