// A relay with submission, a fake Google and a fake Dovecot, and drills with it.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { isTable } from "../../../src/base/table.ts";
import type { Clock } from "../../../src/base/clock.ts";
import type { StepLimits } from "../../../src/parts/failover/drill/steps.ts";
import type { DrillReport } from "../../../src/parts/failover/drill/report.ts";
import { commandMeans } from "../../../src/cli/part-means.ts";
import { CommandError } from "../../../src/contract/exit.ts";
import { rehearsed } from "../../../src/parts/failover/drill/drill.ts";
import { askPart } from "../../../src/run/control/client.ts";
import { controlSocket } from "../../../src/run/control/protocol.ts";
import { workspaceConfig } from "../../support/build.ts";
import { type ImapOptions, startImap } from "../../support/imap.ts";
import { freePort } from "../../support/relay-process.ts";
import { startTestRelay, type TestRelay } from "../../support/relay.ts";
import { type Sink, startSink } from "../../support/sink.ts";

const MAIN = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));

export const ACCOUNT = "unseen-drill@example.com";

export interface DrillPlace extends AsyncDisposable {
  readonly relay: TestRelay;
  readonly google: Sink;
  readonly imap: Awaited<ReturnType<typeof startImap>>;
  /** Gives an order of fail-over. */
  order(verb: string, given?: object): Promise<Readonly<Record<string, unknown>>>;
  /** A drill in this process. */
  drill(limits?: StepLimits): Promise<Drilled>;
  /** The error of a drill that does not begin. */
  refused(): Promise<CommandError>;
  /** A drill whose process the test ends. */
  begun(): ChildProcess;
  /** All files of the directory but those that the relay and SQLite keep for themselves, with their octets. */
  files(): Promise<ReadonlyMap<string, string>>;
}

interface Drilled {
  readonly code: number | null;
  readonly report: DrillReport;
  readonly stderr: string;
  /** The result and the text of a step. */
  readonly step: (name: string) => string;
}

export interface DrillOptions {
  /** Google's answer at RCPT to addresses that it does not know. */
  readonly google?: "accepts" | "refuses" | "refuses by policy" | "is busy";
  readonly imap?: Partial<ImapOptions>;
  /** Replaces a text of routers.toml. */
  readonly config?: (config: string) => string;
  readonly files?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  readonly directory?: string;
}

const quiet = { signal: new AbortController().signal, show: () => Promise.resolve() };

const ANSWERS: Readonly<Record<string, readonly [number, string]>> = {
  refuses: [550, "5.1.1 The email account that you tried to reach does not exist"],
  "refuses by policy": [550, "5.7.1 Our system has detected that this message is unsolicited"],
  "is busy": [451, "4.3.0 later"],
};

export async function drillPlace(options: DrillOptions = {}): Promise<DrillPlace> {
  const refusal = ANSWERS[options.google ?? "refuses"];
  const google = await startSink(refusal && { replies: { "unseen-drill": refusal } });
  let directory = "";
  const imap = await startImap({ directory: () => directory, ...options.imap });
  const [port, submission] = [await freePort(), await freePort()];
  const config = `[[listeners]]
address = "127.0.0.1:${port}"
[[listeners]]
address = "127.0.0.1:${submission}"
protocol = "submission"
${workspaceConfig(google.port)}
[failover]
transports = ["gmail"]
imap = "127.0.0.1:${imap.port}"
`;
  const relay = await startTestRelay({
    config: options.config?.(config) ?? config,
    files: { gmail_accounts: "alice\nbob", ...options.files },
    ...(options.clock && { clock: options.clock }),
    ...(options.directory && { directory: options.directory }),
  });
  ({ directory } = relay);
  const begun = () => begunIn(directory);
  return {
    relay,
    google,
    imap,
    begun,
    async drill(limits) {
      const manner = { ...quiet, ...(limits && { limits }) };
      const report = await rehearsed(commandMeans(relay.configuration.file), manner);
      return { code: report.ok ? 0 : 1, report, stderr: "", step: stepsOf(report) };
    },
    files: () => filesIn(directory),
    async refused() {
      const means = commandMeans(relay.configuration.file);
      const error = await rehearsed(means, quiet).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof CommandError, String(error));
      return error;
    },
    async order(verb, given = {}) {
      const socket = controlSocket(relay.configuration.relay);
      const answer = await askPart(socket, `failover/${verb}`, given);
      assert.ok(isTable(answer) && answer["error"] === undefined, JSON.stringify(answer));
      return answer;
    },
    async [Symbol.asyncDispose]() {
      await relay[Symbol.asyncDispose]();
      await imap[Symbol.asyncDispose]();
      await google[Symbol.asyncDispose]();
    },
  };
}

/** A drill with the relay of this directory. */
function begunIn(directory: string): ChildProcess {
  const args = [MAIN, "failover", "drill", "--json", "--config", join(directory, "routers.toml")];
  return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
}

export async function finished(child: ChildProcess): Promise<Drilled> {
  assert.ok(child.stdout !== null && child.stderr !== null);
  const ended = new Promise((resolve) => child.once("close", resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  await ended;
  const report: DrillReport =
    stdout === ""
      ? { ok: false, account: "", failover: "", seconds: 0, steps: [] }
      : JSON.parse(stdout);
  return { code: child.exitCode, report, stderr, step: stepsOf(report) };
}

function stepsOf({ steps }: DrillReport): Drilled["step"] {
  return (name) => {
    const found = steps.find(({ step }) => step === name);
    return `${found?.result}: ${found?.text}`;
  };
}

/** Locks of SQLite, and what the relay keeps for itself, change with any mail. */
const OWN = /^spool(?:$|\/(?!failover|dovecot))|^users\.lock$/;

async function filesIn(directory: string): Promise<ReadonlyMap<string, string>> {
  const all = await readdir(directory, { recursive: true, withFileTypes: true });
  const named = all
    .map((entry) => ({
      entry,
      name: join(entry.parentPath, entry.name).slice(directory.length + 1),
    }))
    .filter(({ name }) => !OWN.test(name))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1));
  const found = named.map(async ({ entry, name }): Promise<[string, string]> => [
    name,
    entry.isFile() ? await readFile(join(directory, name), "latin1") : "directory",
  ]);
  return new Map(await Promise.all(found));
}
