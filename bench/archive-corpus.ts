// A corpus for the archive's bench: as many messages as asked for, made from real ones. Each has the header section and
// the size of a real message. Half of its text lines come from others, so that words meet as they do in real mail, and
// some words are its own, as numbers and names are.

import fs from "node:fs";
import path from "node:path";

const ACCOUNTS = 20;
const FIRST = Date.UTC(2023, 0, 1);
/** Mean ms between two messages. */
const GAP = 95_000;

/** A small generator of random numbers that gives the same corpus each time. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state / 0x8000_0000;
  };
}

interface Source {
  readonly head: string;
  readonly lines: readonly string[];
  /** Lines of text that may stand in another message. */
  readonly isText: boolean;
}

/** The messages in the files of a directory. */
function sourcesIn(directory: string): Source[] {
  return fs
    .readdirSync(directory)
    .filter((name) => name.endsWith(".eml"))
    .toSorted()
    .map((name) => {
      const text = fs.readFileSync(path.join(directory, name), "latin1").replaceAll("\r\n", "\n");
      const end = text.indexOf("\n\n");
      const head = text.slice(0, end);
      const isText =
        !/^content-type:\s*multipart|^content-transfer-encoding:\s*(?:base64|quoted)/im.test(head);
      return { head, lines: text.slice(end + 2).split("\n"), isText };
    });
}

/** Writes `count` messages below `root`, as DOMAIN/LOCAL_PART/cur/NAME:2,S. Returns their octets. */
export function writeCorpus(root: string, count: number, directory: string): number {
  const sources = sourcesIn(directory);
  const lines = sources.filter(({ isText }) => isText).flatMap((source) => source.lines);
  const random = randomFrom(1);
  const pick = <T>(values: readonly T[]): T => {
    const value = values[Math.floor(random() * values.length)];
    if (value === undefined) throw new Error(`no message in ${directory}`);
    return value;
  };
  for (let account = 0; account < ACCOUNTS; account++) {
    for (const part of ["new", "cur", "tmp"]) {
      fs.mkdirSync(path.join(root, "example.com", `user${account}`, part), { recursive: true });
    }
  }
  let octets = 0;
  let time = FIRST;
  for (let number = 0; number < count; number++) {
    time += -Math.log(1 - random()) * GAP;
    const { head, lines: own, isText } = pick(sources);
    const mixed = isText ? own.map((line) => (random() < 0.5 ? line : pick(lines))) : own;
    const unique = `${Math.floor(random() * 1e9).toString(36)} ${number}`;
    const id = `Message-ID: <${number}.${Math.floor(random() * 1e9)}@example.com>`;
    const fields = head.replace(/^message-id:.*(?:\n[ \t].*)*/im, id);
    const text = `${fields}\n\n${mixed.join("\n")}\n${isText ? unique : ""}\n`;
    const seconds = Math.floor(time / 1000);
    const name = `${seconds}.M${number}P1.mx.example.com,S=${text.length}:2,S`;
    const file = path.join(root, "example.com", `user${number % ACCOUNTS}`, "cur", name);
    fs.writeFileSync(file, text, "latin1");
    fs.utimesSync(file, seconds, seconds);
    octets += text.length;
  }
  return octets;
}
