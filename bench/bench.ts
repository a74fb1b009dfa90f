// `npm run bench`: how fast the same work is done by unseen, Exim and Postfix on this machine, in one run.
// Needs root, a Debian with apt-get, and control groups; changes nothing outside /var/cache/unseen-packages and
// /var/tmp. The relays take turns, so that a machine that grows slow or busy is slow and busy for all.

import fs from "node:fs";
import { parseArgs } from "node:util";

import { describeError } from "../src/log.ts";
import { type Contestant, exim, postfix, unseen } from "./contestants.ts";
import { makeRunsDirectory, measure, type Measurement } from "./measure.ts";

const USAGE = `usage: npm run bench -- [--messages N] [--rounds N] [--warm-up N] [--only unseen|exim|postfix]...
  --messages  messages in each run (10000)
  --rounds    runs of each relay, in turns; the table shows medians (3)
  --warm-up   seconds of the same work before the clock starts (10): a relay runs for months, and our code is
              compiled as it runs
  --only      this relay only; may be given again`;

const CONTESTANTS = { unseen, exim, postfix };

type Results = ReadonlyMap<string, Measurement[]>;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      messages: { type: "string", default: "10000" },
      rounds: { type: "string", default: "3" },
      "warm-up": { type: "string", default: "10" },
      only: { type: "string", multiple: true, default: Object.keys(CONTESTANTS) },
      help: { type: "boolean", default: false },
    },
  });
  const [messages, rounds, warmUp] = [values.messages, values.rounds, values["warm-up"]].map(
    Number,
  );
  const makers = Object.entries(CONTESTANTS).filter(([name]) => values.only.includes(name));
  if (values.help || !messages || !rounds || !warmUp || makers.length < values.only.length) {
    console.log(USAGE);
    process.exitCode = values.help ? 0 : 64;
    return;
  }
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(name, () => interrupted.abort(new Error(`stopped by ${name}`)));
  }
  const runs = makeRunsDirectory();
  using _ = { [Symbol.dispose]: () => fs.rmSync(runs, { recursive: true, force: true }) };
  const contestants = makers.map(([, make]) => make());
  const results = new Map(contestants.map(({ name }) => [name, new Array<Measurement>()]));
  console.log(
    `${messages} messages of 4 kB over 20 connections: accept durably, Maildir copy, relay\n`,
  );
  for (let round = 1; round <= rounds; round++) {
    for (const contestant of contestants) {
      const result = await measure(contestant, runs, { messages, warmUp }, interrupted.signal);
      results.get(contestant.name)?.push(result);
      const { name } = contestant;
      console.log(`round ${round}  ${name.padEnd(8)} ${result.perSecond.toFixed(0)} messages/s`);
    }
    // The one that was last starts the next round.
    contestants.unshift(...contestants.splice(-1));
  }
  printTable(contestants, results);
}

function printTable(contestants: readonly Contestant[], results: Results): void {
  const rows = [["", "messages/s", "(min - max)", "CPU ms/message", "peak MB (PSS)", "version"]];
  const ordered = Object.keys(CONTESTANTS).filter((name) => results.has(name));
  for (const name of ordered) {
    const all = results.get(name) ?? [];
    const rates = all.map((it) => it.perSecond);
    rows.push([
      name,
      median(rates).toFixed(0),
      `(${Math.min(...rates).toFixed(0)} - ${Math.max(...rates).toFixed(0)})`,
      median(all.map((it) => it.cpuPerMessage)).toFixed(2),
      (median(all.map((it) => it.peakMemory)) / 2 ** 20).toFixed(0),
      contestants.find((it) => it.name === name)?.version ?? "",
    ]);
  }
  const widths = rows[0]?.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  console.log();
  for (const row of rows) {
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths?.[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );
  }
  const own = results.get("unseen");
  for (const name of ordered.filter((other) => own !== undefined && other !== "unseen")) {
    const others = results.get(name) ?? [];
    const ratio = (of: (it: Measurement) => number) =>
      median((own ?? []).map((it, round) => of(it) / of(others[round] ?? it))).toFixed(2);
    console.log(
      `\nunseen / ${name}: ${ratio((it) => it.perSecond)} times the messages a second, ` +
        `${ratio((it) => it.cpuPerMessage)} of the CPU a message`,
    );
  }
}

/** The middle one; of an even number, the mean of the two in the middle. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2;
}

try {
  await main();
} catch (error) {
  console.error(describeError(error));
  process.exitCode = 1;
}
