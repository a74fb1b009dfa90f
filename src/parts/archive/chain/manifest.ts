// The manifest: a line for each file of the archive at the time of indexing, and for each file that goes.
//
// The words and fields of its lines, in their order:
//
//     file ACCOUNT FOLDER PLACE SIZE SHA256 relay|walk|import
//     going ACCOUNT FOLDER NAME SHA256 RULE
//     gone ACCOUNT FOLDER NAME SHA256
//     accepted ACCOUNT FOLDER PLACE SHA256|- WHY
//     accepted-break manifest|audit DAY LINE WHY
//     torn OCTETS
//
// PLACE is the file's directory and name when the line was written: "new/NAME" or "cur/NAME:2,S". The unique name is
// what stands before the colon.

import { join } from "node:path";
import type { Clock } from "../../../base/clock.ts";
import { Chain, type ChainFiles, type NewLine } from "./chain.ts";

/** How a file came into the archive: told by the relay, found by a walk, or imported. */
export type Origin = "relay" | "walk" | "import";

interface ManifestFile {
  readonly account: string;
  readonly folder: string;
  /** Its directory and file name in the folder: "new/NAME", "cur/NAME:2,S". */
  readonly place: string;
  readonly size: number;
  /** In hexadecimal, of the file. */
  readonly sha256: string;
  readonly origin: Origin;
}

/** A file that retention or an erasure deletes. */
interface LeavingFile {
  readonly account: string;
  readonly folder: string;
  /** The unique name. */
  readonly name: string;
  readonly sha256: string;
}

export type ManifestEntry =
  | ({ readonly word: "file" } & ManifestFile)
  /** `rule`: why the file is deleted. */
  | ({ readonly word: "going"; readonly rule: string } & LeavingFile)
  | ({ readonly word: "gone" } & LeavingFile)
  /** The postmaster knows that the file is missing (no `sha256`), or that it is as `sha256` says. */
  | {
      readonly word: "accepted";
      readonly account: string;
      readonly folder: string;
      readonly place: string;
      readonly sha256: string | undefined;
      readonly why: string;
    }
  /** The postmaster knows that the chain is broken at this line. */
  | {
      readonly word: "accepted-break";
      readonly chain: string;
      readonly day: string;
      readonly line: number;
      readonly why: string;
    };

export class Manifest {
  readonly #chain: Chain;

  /** `state` is the directory of the archive's state. */
  constructor(state: string, clock: Pick<Clock, "now">, files?: ChainFiles) {
    this.#chain = new Chain(manifestDirectory(state), clock, files);
  }

  /** Resolves when the entries are on disk. One sync covers all entries of a call. */
  append(entries: readonly ManifestEntry[]): Promise<void> {
    return this.#chain.append(entries.map(lineOf));
  }

  /** The hash of the last line that is on disk; undefined without one. Changes nothing. */
  lastHash(): Promise<string | undefined> {
    return this.#chain.lastHash();
  }

  close(): Promise<void> {
    return this.#chain.close();
  }
}

export function manifestDirectory(state: string): string {
  return join(state, "manifest");
}

function lineOf(entry: ManifestEntry): NewLine {
  const { word } = entry;
  if (word === "accepted-break") {
    return { word, fields: [entry.chain, entry.day, String(entry.line), entry.why] };
  }
  const { account, folder, sha256 } = entry;
  switch (word) {
    case "file": {
      const { place, size, origin } = entry;
      return { word, fields: [account, folder, place, String(size), sha256 ?? "", origin] };
    }
    case "going":
      return { word, fields: [account, folder, entry.name, entry.sha256, entry.rule] };
    case "gone":
      return { word, fields: [account, folder, entry.name, entry.sha256] };
    case "accepted":
      return { word, fields: [account, folder, entry.place, sha256 ?? "-", entry.why] };
  }
}

/** The entry that a line of the manifest holds; undefined for other lines, such as `torn`. */
export function manifestEntryOf(
  word: string,
  fields: readonly string[],
): ManifestEntry | undefined {
  const [account = "", folder = "", third = "", fourth = "", fifth = "", origin] = fields;
  switch (word) {
    case "file":
      return fields.length === 6 && isOrigin(origin)
        ? { word, account, folder, place: third, size: Number(fourth), sha256: fifth, origin }
        : undefined;
    case "going":
      return { word, account, folder, name: third, sha256: fourth, rule: fifth };
    case "gone":
      return { word, account, folder, name: third, sha256: fourth };
    case "accepted": {
      const sha256 = fourth === "-" ? undefined : fourth;
      return { word, account, folder, place: third, sha256, why: fifth };
    }
    case "accepted-break":
      return { word, chain: account, day: folder, line: Number(third), why: fourth };
    default:
      return undefined;
  }
}

function isOrigin(text: string | undefined): text is Origin {
  return text === "relay" || text === "walk" || text === "import";
}

/** The unique name of the file at a place: what stands before the colon. */
export function nameOfPlace(place: string): string {
  const file = place.slice(place.lastIndexOf("/") + 1);
  const colon = file.indexOf(":");
  return colon < 0 ? file : file.slice(0, colon);
}
