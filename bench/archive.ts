// `npm run bench:archive`: the archive's index beside notmuch and mu, on the same corpus in one run: messages a second,
// octets of the index, and the time of searches. It needs notmuch and maildir-utils, as Debian packages them.
//
// The rate of ours is that of `relayctl archive reindex`: everything is read, written to the manifest and indexed. Its
// searches are timed without the start of a process, which Node makes slow; those of the others include it.

import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";

import { systemClock } from "../src/base/clock.ts";
import { ArchiveIndex } from "../src/parts/archive/index/archive-index.ts";
import { parseQuery } from "../src/parts/archive/search/query.ts";
import { randomFrom, writeCorpus } from "./archive-corpus.ts";
import { makeRunsDirectory } from "./measure.ts";

const USAGE = `usage: npm run bench:archive -- [--messages N] [--searches N] [--mail DIRECTORY]
  --messages  messages in the corpus (5000)
  --searches  searches of each program (200)
  --mail      a directory with real messages as .eml files, from which the corpus is made (test/corpus)`;

const MAIN = path.join(import.meta.dirname, "../src/main.ts");

interface Contestant {
  readonly name: string;
  /** Makes the index. */
  readonly index: readonly (readonly string[])[];
  readonly environment: Readonly<Record<string, string>>;
  /** Where everything lies that the program has written. */
  readonly state: string;
  /** Finds the 50 newest messages with this word; returns their number. */
  search(word: string): Promise<number>;
}

interface Result {
  readonly name: string;
  readonly perSecond: number;
  readonly perCpuSecond: number;
  readonly share: number;
  readonly median: number;
  readonly worst: number;
  readonly found: number;
}

/** The number of lines that the command prints. */
function linesOf(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): number {
  const output = execFileSync(command, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "ignore"],
  });
  return String(output)
    .split("\n")
    .filter((line) => line !== "").length;
}

function contestants(directory: string, root: string): Contestant[] {
  const notmuch = { NOTMUCH_CONFIG: path.join(directory, "notmuch-config") };
  const database = path.join(directory, "notmuch");
  fs.mkdirSync(database);
  fs.writeFileSync(
    notmuch.NOTMUCH_CONFIG,
    `[database]\npath=${database}\nmail_root=${root}\n[new]\ntags=new\n[maildir]\nsynchronize_flags=false\n`,
  );
  const mu = ["--muhome", path.join(directory, "mu")];
  return [
    {
      name: "notmuch",
      index: [["notmuch", "new", "--quiet"]],
      environment: notmuch,
      state: database,
      search: async (word) =>
        linesOf("notmuch", ["search", "--limit=50", "--output=messages", word], notmuch),
    },
    {
      name: "mu",
      index: [
        ["mu", "init", "--quiet", "--maildir", root, ...mu],
        ["mu", "index", "--quiet", ...mu],
      ],
      environment: {},
      state: path.join(directory, "mu"),
      search: async (word) =>
        linesOf("mu", ["find", "--maxnum=50", "--sortfield=date", "--reverse", ...mu, word], {}),
    },
    ours(directory, root),
  ];
}

function ours(directory: string, root: string): Contestant {
  const file = path.join(directory, "routers.toml");
  const state = path.join(directory, "unseen");
  fs.writeFileSync(
    file,
    `[relay]\nhostname = "mx.example.com"\nspool_directory = "${directory}"
[[listeners]]\naddress = "127.0.0.1:2525"\n[gate]\nlocal_domains = "example.com"
[[routers]]\nname = "local"\ndriver = "accept"\ntransport = "local"
[transports.local]\ndriver = "maildir-append"\ndirectory = "${root}/{domain}/{local_part}"
[archive]\ndirectory = "${root}"\nstate = "${state}"\n`,
  );
  let index: ArchiveIndex | undefined;
  return {
    name: "unseen",
    index: [[process.execPath, MAIN, "archive", "reindex", "--config", file]],
    environment: {},
    state,
    search: async (word) => {
      index ??= ArchiveIndex.forReading({ directory: root, state }, systemClock);
      const parsed = parseQuery(word, { zone: "UTC", now: Date.now() });
      if (!("condition" in parsed)) throw new Error(`no query: ${word}`);
      return (await index.find(parsed.condition, { limit: 50 })).length;
    },
  };
}

/** Wall and processor time in seconds, of the command and its children. */
function timed(command: readonly string[], env: Readonly<Record<string, string>>) {
  const script = 'TIMEFORMAT="%R %U %S"; time "$@" >/dev/null 2>/dev/null';
  const { stderr, status } = spawnSync("bash", ["-c", script, "bash", ...command], {
    env: { ...process.env, ...env },
  });
  const [wall = NaN, user = NaN, system = NaN] = String(stderr).trim().split(" ").map(Number);
  if (status !== 0) throw new Error(`${command.join(" ")} ended with ${String(status)}`);
  return { wall, cpu: user + system };
}

function octetsBelow(directory: string): number {
  return fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + fs.statSync(path.join(parentPath, name)).size, 0);
}

/** Words of the corpus, the rare ones as often as the frequent ones. */
function wordsIn(root: string, count: number): string[] {
  const random = randomFrom(2);
  const directory = path.join(root, "example.com", "user0", "cur");
  const texts = fs
    .readdirSync(directory)
    .slice(0, 200)
    .map((name) => fs.readFileSync(path.join(directory, name), "latin1"));
  const words = new Set(texts.join("\n").match(/\b[a-z]{4,12}\b/g));
  return Array.from(words)
    .toSorted(() => random() - 0.5)
    .slice(0, count);
}

async function measured(
  one: Contestant,
  { messages, octets, words }: { messages: number; octets: number; words: readonly string[] },
): Promise<Result> {
  const times = one.index.map((command) => timed(command, one.environment));
  const wall = times.reduce((sum, time) => sum + time.wall, 0);
  const cpu = times.reduce((sum, time) => sum + time.cpu, 0);
  const searches: number[] = [];
  let found = 0;
  for (const word of words) {
    const began = performance.now();
    try {
      found += await one.search(word);
    } catch {
      // mu ends with an error when it finds nothing.
    }
    searches.push(performance.now() - began);
  }
  const sorted = searches.toSorted((a, b) => a - b);
  return {
    name: one.name,
    perSecond: messages / wall,
    perCpuSecond: messages / cpu,
    share: octetsBelow(one.state) / octets,
    median: sorted[sorted.length >> 1] ?? NaN,
    worst: sorted.at(-1) ?? NaN,
    found,
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      messages: { type: "string", default: "5000" },
      searches: { type: "string", default: "200" },
      mail: { type: "string", default: path.join(import.meta.dirname, "../test/corpus") },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) return console.log(USAGE);
  const messages = Number(values.messages);
  const directory = makeRunsDirectory();
  try {
    const root = path.join(directory, "mail");
    const octets = writeCorpus(root, messages, values.mail);
    console.log(`${messages} messages, ${Math.round(octets / messages)} octets each`);
    const words = wordsIn(root, Number(values.searches));
    console.log("          messages/s  of one core  index/mail  search: median  worst  found");
    for (const one of contestants(directory, root)) {
      const result = await measured(one, { messages, octets, words });
      const { perSecond, perCpuSecond, share, median, worst, found } = result;
      console.log(
        [
          one.name.padEnd(8),
          perSecond.toFixed(0).padStart(12),
          perCpuSecond.toFixed(0).padStart(12),
          share.toFixed(2).padStart(11),
          `${median.toFixed(1)} ms`.padStart(15),
          `${worst.toFixed(0)} ms`.padStart(6),
          String(found).padStart(6),
        ].join(" "),
      );
    }
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

await main();
