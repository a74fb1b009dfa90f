// `npm run bench:hang`: measures what a file system or a reader that hangs adds to the replies that clients wait for. One
// client sends message after message. Each reply to MAIL, RCPT and the dot is timed, once while all files answer and once
// while one of these hangs: the Maildir of the copies, the log (a pipe without a reader, or a file), the list
// files. Only the first wait for a file is long. So each time a new relay meets the hang, and the longest reply counts.

import { execFileSync } from "node:child_process";
import fs, { constants } from "node:fs";
import { Socket } from "node:net";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";

import { type HangingFiles, hangingFiles } from "../test/support/hanging-files.ts";
import { freePort, startRelayProcess } from "../test/support/relay-process.ts";
import { Wire } from "../test/support/wire.ts";
import { makeRunsDirectory } from "./measure.ts";

const KINDS = ["maildir", "log-pipe", "log-file", "lists"] as const;
type Kind = (typeof KINDS)[number];

const USAGE = `usage: npm run bench:hang -- [--messages N] [--rounds N] [--only KIND]...
  --messages  in each measurement (100)
  --rounds    of each kind, with and without the hang (3)
  --only      this kind only; may be given again: ${KINDS.join(", ")}`;

/** The promise of the relay, in milliseconds. */
const ADDED_MAX = 100;
const LETTER = `Subject: ordinary\r\nFrom: <carol@example.net>\r\n\r\n${"an ordinary line\r\n".repeat(200)}.\r\n`;
const REPLIES = ["MAIL", "RCPT", "dot"] as const;

/** Milliseconds from each command to its reply. */
type Waits = Readonly<Record<(typeof REPLIES)[number], number[]>>;

/** A relay, with one file or reader that can be made to hang. */
interface Ground extends AsyncDisposable {
  readonly port: number;
  hang(): void;
  answer(): void;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      messages: { type: "string", default: "100" },
      rounds: { type: "string", default: "3" },
      only: { type: "string", multiple: true, default: [...KINDS] },
      help: { type: "boolean", default: false },
    },
  });
  const [messages, rounds] = [values.messages, values.rounds].map(Number);
  const kinds = KINDS.filter((kind) => values.only.includes(kind));
  if (values.help || !messages || !rounds || kinds.length < values.only.length) {
    console.log(USAGE);
    process.exitCode = values.help ? 0 : 64;
    return;
  }
  const runs = makeRunsDirectory();
  using _ = { [Symbol.dispose]: () => fs.rmSync(runs, { recursive: true, force: true }) };
  console.log("what hangs  reply   median ms        longest ms");
  for (const kind of kinds) {
    const { without, hanging } = await measure(path.join(runs, kind), { kind, messages, rounds });
    for (const reply of REPLIES) {
      const [before, now] = [without[reply], hanging[reply]];
      const isOver = longest(now) - longest(before) > ADDED_MAX;
      if (isOver) process.exitCode = 1;
      const medians = `${median(before).toFixed(1)} → ${median(now).toFixed(1)}`;
      const ends = `${longest(before).toFixed(1)} → ${longest(now).toFixed(1)}`;
      console.log(
        `${kind.padEnd(10)}  ${reply.padEnd(6)}  ${medians.padEnd(15)}  ${ends}${isOver ? "  too long" : ""}`,
      );
    }
  }
}

interface Plan {
  readonly kind: Kind;
  readonly messages: number;
  readonly rounds: number;
}

async function measure(
  directory: string,
  { kind, messages, rounds }: Plan,
): Promise<{ without: Waits; hanging: Waits }> {
  await using ground = await prepare(directory, kind);
  const [warmUp, without, hanging] = [noWaits(), noWaits(), noWaits()];
  // Code is compiled while it runs, and a relay runs for months.
  await send(ground.port, 2 * messages, warmUp);
  for (let round = 0; round < rounds; round++) {
    await send(ground.port, messages, without);
    ground.hang();
    await send(ground.port, messages, hanging);
    ground.answer();
    // Work that has waited is done now, outside of the measurement.
    await send(ground.port, messages, warmUp);
  }
  return { without, hanging };
}

function noWaits(): Waits {
  return { MAIL: [], RCPT: [], dot: [] };
}

async function send(port: number, messages: number, waits: Waits): Promise<void> {
  using wire = await Wire.open(port);
  await wire.reply();
  const timed = async (text: string, code: string): Promise<number> => {
    const begun = performance.now();
    wire.send(text);
    const reply = await wire.reply();
    if (!reply.startsWith(code)) throw new Error(`the client heard ${reply}`);
    return performance.now() - begun;
  };
  await timed("EHLO client.example.net\r\n", "250");
  for (let sent = 0; sent < messages; sent++) {
    waits.MAIL.push(await timed("MAIL FROM:<carol@example.net>\r\n", "250"));
    waits.RCPT.push(await timed("RCPT TO:<alice@example.com>\r\n", "250"));
    await timed("DATA\r\n", "354");
    waits.dot.push(await timed(LETTER, "250"));
  }
}

function longest(waits: readonly number[]): number {
  return waits.reduce((most, wait) => Math.max(most, wait), 0);
}

function median(waits: readonly number[]): number {
  return waits.toSorted((a, b) => a - b)[waits.length >> 1] ?? NaN;
}

/** Only files that hang are below "hung". */
async function prepare(directory: string, kind: Kind): Promise<Ground> {
  const hung = path.join(directory, "hung");
  const place = (wanted: Kind, name: string) => (kind === wanted ? path.join("hung", name) : name);
  fs.mkdirSync(hung, { recursive: true });
  const [accounts, domains] = ["accounts", "domains"].map((name) => place("lists", name));
  fs.writeFileSync(path.join(directory, accounts ?? ""), "alice\nbob\n");
  fs.writeFileSync(path.join(directory, domains ?? ""), "example.com\n");
  const files = hangingFiles(hung, directory);
  const port = await freePort();
  const config = path.join(directory, "routers.toml");
  const mail = place("maildir", "mail");
  fs.writeFileSync(config, configuration({ port, accounts, domains, mail }));
  const log = kind === "log-pipe" ? pipe(directory) : file(files, path.join(hung, "log"));
  const relay = await startRelayProcess(config, files.environment, log.fd);
  fs.closeSync(log.fd);
  favour(relay.pid);
  return {
    port,
    hang: () => log.hang(),
    answer: () => log.answer(),
    async [Symbol.asyncDispose]() {
      log.answer();
      await relay.kill("SIGKILL");
      log.close();
    },
  };
}

/** Gives the process priority over other programs of the machine. Works for root only. */
function favour(pid: number): void {
  if (process.getuid?.() !== 0) return;
  // Each thread has a priority of its own.
  for (const thread of fs.readdirSync(`/proc/${pid}/task`)) os.setPriority(Number(thread), -15);
  os.setPriority(-15);
}

/** The output for the relay's log, and the way to make it hang. */
interface Output {
  readonly fd: number;
  hang(): void;
  answer(): void;
  close(): void;
}

function file(files: HangingFiles, log: string): Output {
  return {
    fd: fs.openSync(log, "a"),
    hang: () => files.hang(),
    answer: () => files.answer(),
    close: () => undefined,
  };
}

/** A pipe without a reader: it hangs when it is full. */
function pipe(directory: string): Output {
  const name = path.join(directory, "log");
  execFileSync("mkfifo", [name]);
  const reader = new Socket({ fd: fs.openSync(name, constants.O_RDONLY | constants.O_NONBLOCK) });
  reader.resume();
  const filler = fs.openSync(name, constants.O_WRONLY | constants.O_NONBLOCK);
  return {
    fd: fs.openSync(name, constants.O_WRONLY),
    hang() {
      reader.pause();
      try {
        for (;;) fs.writeSync(filler, "\n");
      } catch {
        // The pipe is full.
      }
    },
    answer: () => void reader.resume(),
    close() {
      fs.closeSync(filler);
      reader.destroy();
    },
  };
}

interface Places {
  readonly port: number;
  readonly accounts: string | undefined;
  readonly domains: string | undefined;
  readonly mail: string;
}

function configuration({ port, accounts, domains, mail }: Places): string {
  return `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
[[listeners]]
address = "127.0.0.1:${port}"
tls = "none"
[gate]
local_domains = "lsearch:${domains}"
[[routers]]
name = "copy"
driver = "unseen-copy"
domains = "lsearch:${domains}"
local_parts = "lsearch:${accounts}"
transport = "maildir"
[[routers]]
name = "accounts"
driver = "accept"
domains = "lsearch:${domains}"
local_parts = "lsearch:${accounts}"
transport = "nowhere"
[transports.maildir]
driver = "maildir-append"
directory = "${mail}/{domain}/{local_part}"
[transports.nowhere]
driver = "discard"
`;
}

await main();
