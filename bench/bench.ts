// `npm run bench`: compares how fast unseen, Exim and Postfix do the same work on this machine, in one run.
// It needs root, a Debian with apt-get, and control groups. It writes only to /var/cache/unseen-packages and
// /var/tmp. The relays take turns, so that a machine that becomes slow or busy slows all of them.

import fs from "node:fs";
import { parseArgs } from "node:util";

import { describeError } from "../src/observe/log.ts";
import { before, type Contestant, exim, postfix, unseen } from "./contestants.ts";
import { makeRunsDirectory, measure, type Measurement } from "./measure.ts";

const USAGE = `usage: npm run bench -- [--messages N] [--rounds N] [--warm-up N] [--connections N] [--size N]
                        [--only unseen|exim|postfix]... [--against DIRECTORY]
  --messages     messages in each run (10000)
  --rounds       runs of each relay, in turns; the table shows medians (3)
  --warm-up      seconds of the same work before the clock starts (10): a relay runs for months, and our code is
                 compiled as it runs
  --connections  connections that send at once (20)
  --size         bytes of a message (4096)
  --only         this relay only; may be given again
  --against      a checkout of another version of unseen, in which npm ci has run: it takes part as "before"`;

const CONTESTANTS = { unseen, exim, postfix };

type Results = ReadonlyMap<string, Measurement[]>;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      messages: { type: "string", default: "10000" },
      rounds: { type: "string", default: "3" },
      "warm-up": { type: "string", default: "10" },
      connections: { type: "string", default: "20" },
      size: { type: "string", default: "4096" },
      against: { type: "string" },
      only: { type: "string", multiple: true, default: Object.keys(CONTESTANTS) },
      help: { type: "boolean", default: false },
    },
  });
  const { messages, rounds, "warm-up": warmUp, connections, size } = values;
  const load = { connections: Number(connections), size: Number(size) };
  const work = { messages: Number(messages), warmUp: Number(warmUp), ...load };
  const makers = Object.entries(CONTESTANTS).filter(([name]) => values.only.includes(name));
  const isUnderstood = [rounds, ...Object.values(work)].every((value) => Number(value) > 0);
  if (values.help || !isUnderstood || makers.length < values.only.length) {
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
  if (values.against !== undefined) contestants.push(before(values.against));
  const results = new Map(contestants.map(({ name }) => [name, new Array<Measurement>()]));
  console.log(
    `${messages} messages of ${size} bytes over ${connections} connections: accept durably, Maildir copy, relay\n`,
  );
  for (let round = 1; round <= Number(rounds); round++) {
    for (const contestant of contestants) {
      const result = await measure(contestant, runs, work, interrupted.signal);
      results.get(contestant.name)?.push(result);
      const { name } = contestant;
      console.log(`round ${round}  ${name.padEnd(8)} ${result.perSecond.toFixed(0)} messages/s`);
    }
    // The last relay of a round is the first of the next.
    contestants.unshift(...contestants.splice(-1));
  }
  printTable(contestants, results);
}

function printTable(contestants: readonly Contestant[], results: Results): void {
  const rows = [["", "messages/s", "(min - max)", "CPU ms/message", "peak MB (PSS)", "version"]];
  const ordered = [...Object.keys(CONTESTANTS), "before"].filter((name) => results.has(name));
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

/** The middle value; of an even number of values, the mean of the two in the middle. */
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
