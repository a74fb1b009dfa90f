// A whole relay inside the test's own process, on a port of the kernel's choice, in a directory of its own.
//
//   await using sink = await startSink();
//   await using relay = await startTestRelay({
//     config: workspaceConfig(sink.port),
//     files: { gmail_accounts: "alice\n" },
//   });
//   using client = await relay.connect();
//   await client.ask("EHLO client.example.net");
//   await relay.happened("message.completed");
//
// `config` is a routers.toml. Without [relay] or [[listeners]] in it, the usual ones are put in front. Relative paths
// start at the directory: "mail/{domain}/{local_part}".

import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { type Configuration, problemLine } from "../../src/config/configuration.ts";
import { loadConfiguration } from "../../src/config/load.ts";
import type { EventName, Events } from "../../src/observe/events.ts";
import type { Log } from "../../src/observe/log.ts";
import type { Https } from "../../src/base/net/https.ts";
import { type Relay, startRelay } from "../../src/run/relay.ts";
import { ticking } from "./clock.ts";
import { type FakeDns, startDns, type Zone } from "./dns.ts";
import { Wire } from "./wire.ts";
import { builtIn } from "../../src/built-in.ts";

export interface TestRelayOptions {
  readonly config: string;
  /** The zone of a fake DNS server, which starts and stops with the relay. Without it the relay asks no DNS server. */
  readonly dns?: Zone;
  /** Files that are written into the directory before the start. */
  readonly files?: Readonly<Record<string, string>>;
  /** Permissions of files that not every user may read. */
  readonly modes?: Readonly<Record<string, number>>;
  readonly clock?: Clock;
  /** The way to the policy hosts of MTA-STS. */
  readonly https?: Https;
  /** The directory of an earlier relay, for a restart on its spool. It is not removed at the end. */
  readonly directory?: string;
}

export interface TestRelay extends AsyncDisposable {
  readonly directory: string;
  readonly port: number;
  readonly relay: Relay;
  readonly configuration: Configuration;
  readonly log: WaitingLog;
  readonly dns: FakeDns;
  /** A connection that has read the greeting. Another `from` in 127.0.0.0/8 is another client. */
  connect(from?: string): Promise<Wire>;
  /**
   * Resolves to the fields of the first `count` events of this name, as soon as there are that many. Rejects after ten
   * seconds.
   */
  happened<Name extends EventName>(name: Name, count?: number): Promise<readonly Events[Name][]>;
  /** The contents of the files in new/ of a Maildir, oldest name first. */
  copies(maildir: string): Promise<readonly string[]>;
  stop(grace?: number): Promise<void>;
}

export async function startTestRelay(options: TestRelayOptions): Promise<TestRelay> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "unseen-relay-")));
  const dns = await startDns(options.dns);
  for (const [name, text] of Object.entries(options.files ?? {})) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text, { mode: options.modes?.[name] ?? 0o644 });
  }
  const configuration = await configured(
    directory,
    `${preamble(options.config, dns)}${options.config}`,
  );
  const log = new WaitingLog();
  const { https } = options;
  const clock = options.clock === undefined ? systemClock : ticking(options.clock);
  const parts = { clock, log, ...(https && { https }) };
  const relay = await startRelay(configuration, parts).catch(async (error: unknown) => {
    await dns.close();
    throw error;
  });
  const port = Number(relay.addresses[0]?.split(":").at(-1));

  let stopped: Promise<void> | undefined;
  const stop = (grace = 5000) => (stopped ??= relay.stop(grace));
  return {
    directory,
    port,
    relay,
    configuration,
    log,
    dns,
    async connect(from) {
      const wire = await Wire.open(port, "127.0.0.1", from);
      assert.match(await wire.reply(), /^220 /);
      return wire;
    },
    happened: (name, count = 1) => log.happened(name, count),
    copies: (maildir) => filesIn(join(directory, maildir, "new")),
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      await dns.close();
      if (options.directory === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The tables that few tests set themselves. */
function preamble(config: string, dns: FakeDns): string {
  const tables = {
    "[relay]": 'hostname = "mx.example.com"\nspool_directory = "spool"',
    "[dns]": `servers = ["${dns.address}"]\ndnssec = true`,
    "[[listeners]]": 'address = "127.0.0.1:0"',
  };
  const lines = config.split("\n").map((line) => line.trim());
  return Object.entries(tables)
    .filter(([header]) => !lines.includes(header))
    .map(([header, text]) => `${header}\n${text}\n`)
    .join("");
}

async function configured(directory: string, text: string): Promise<Configuration> {
  const file = join(directory, "routers.toml");
  await writeFile(file, text);
  const loaded = await loadConfiguration(file, builtIn);
  if ("problems" in loaded) assert.fail(loaded.problems.map(problemLine).join("\n"));
  assert.ok("configuration" in loaded, JSON.stringify(loaded));
  return loaded.configuration;
}

/** The contents of all files in a directory; an empty list when it does not exist. */
async function filesIn(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    assert.match(String(error), /ENOENT/);
    return [];
  });
  names.sort((a, b) => a.localeCompare(b));
  return Promise.all(names.map((name) => readFile(join(directory, name), "latin1")));
}

/** Remembers every event, and wakes the tests that wait for one. */
export class WaitingLog implements Log {
  readonly events: { readonly name: EventName; readonly fields: Events[EventName] }[] = [];
  /** "never", so that each list can be used as that of its event name. */
  readonly #byName = new Map<EventName, never[]>();
  readonly #waiting = new Set<() => void>();

  event<Name extends EventName>(name: Name, fields: Events[Name]): void {
    this.events.push({ name, fields });
    this.named(name).push(fields);
    for (const look of this.#waiting) look();
  }

  /** The fields of every event of this name, in order. */
  named<Name extends EventName>(name: Name): Events[Name][] {
    let fields = this.#byName.get(name);
    if (fields === undefined) {
      fields = [];
      this.#byName.set(name, fields);
    }
    return fields;
  }

  happened<Name extends EventName>(name: Name, count: number): Promise<readonly Events[Name][]> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#waiting.delete(look);
        const seen = JSON.stringify(this.events, undefined, 1);
        reject(new Error(`${this.named(name).length} of ${count} ${name} happened, in ${seen}`));
      }, 10_000);
      const look = () => {
        const events = this.named(name);
        if (events.length < count) return;
        this.#waiting.delete(look);
        clearTimeout(late);
        resolve(events);
      };
      this.#waiting.add(look);
      look();
    });
  }
}
