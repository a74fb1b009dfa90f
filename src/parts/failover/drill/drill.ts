// relayctl failover drill: a rehearsal of fail-over with an account of its own, which exists for its time only.
//
// Invariants:
// - Mail of users is never held, released, read or changed: the hold of the drill is for its account.
// - User, account and mail of the drill go at the end, also after an error or a signal. What a killed drill has left goes
//   with the next one: see record.ts. Users file, lists and Maildirs are then as they were.
// - The state of fail-over is never changed.

import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { given as present } from "../../../base/given.ts";
import { isTable } from "../../../base/table.ts";
import { print, printJson, warn } from "../../../base/terminal.ts";
import { findUser, type SystemUser } from "../../../base/users.ts";
import type { Configuration } from "../../../config/configuration.ts";
import type { Given } from "../../../contract/command.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import type { Mailbox } from "../../../mail/envelope.ts";
import { describeError } from "../../../observe/log.ts";
import { usersFileOf } from "../../../users/options.ts";
import { passwordFieldOf } from "../../../users/passwd-file.ts";
import type { CommandMeans } from "../../part.ts";
import { requireSection } from "../command.ts";
import {
  dovecotStateOf,
  drillAddress,
  drillPlaces,
  type DrillPlaces,
  requireFree,
} from "./account.ts";
import {
  directoryOf,
  type DrillRecord,
  isAlive,
  readRecord,
  removeTraces,
  writeRecord,
} from "./record.ts";
import { type DrillRelay, drillRelay } from "./relay.ts";
import { Rehearsing } from "./rehearsing.ts";
import { type DrillReport, endText, headText, stepText } from "./report.ts";
import { type DrillStep, DrillSteps, type StepLimits } from "./steps.ts";

/** Signals that end a drill early. It cleans up first. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Throws CommandError if the drill cannot begin. */
export async function failOverDrill({ json }: Given, means: CommandMeans): Promise<number> {
  const stop = new AbortController();
  const onSignal = (signal: string) => stop.abort(new Error(`interrupted by ${signal}`));
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    const show = async (text: string) => (json ? undefined : print(text));
    const report = await rehearsed(means, { signal: stop.signal, show });
    if (json) await printJson(report);
    else await print(endText(report));
    return report.ok ? EXIT.ok : EXIT.notDone;
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

interface Manner {
  /** Ends the drill early. */
  readonly signal: AbortSignal;
  /** Gets the text for people, piece by piece. */
  readonly show: (text: string) => Promise<void>;
  readonly limits?: StepLimits;
}

/** Resolves to the report. Throws CommandError if the drill cannot begin. */
export async function rehearsed(means: CommandMeans, manner: Manner): Promise<DrillReport> {
  const configuration = await means.configuration();
  requireSection(configuration);
  const account = drillAddress(configuration);
  const relay = await drillRelay(configuration);
  await removeLeft(configuration, relay);
  const places = await drillPlaces(account, configuration, means);
  await requireFree(account, configuration, places);
  return new Drill({ configuration, account, places, relay }, manner).run();
}

/** Removes what a drill has left that was killed. Throws CommandError while another drill runs. */
async function removeLeft(configuration: Configuration, relay: DrillRelay): Promise<void> {
  const { spool_directory: directory } = configuration.relay;
  const record = await readRecord(directory);
  if (record === undefined) return;
  if (isAlive(record)) {
    const what = `another drill is under way, as process ${record.pid}`;
    throw new CommandError(what, EXIT.notDone);
  }
  await relay.order("end");
  await removeTraces(directory, record, { owner: ownerOf(configuration) });
  warn("an earlier drill was killed: its user, account and mail have been removed");
}

function ownerOf({ relay: { user } }: Configuration): SystemUser | undefined {
  return user === undefined ? undefined : findUser(user);
}

interface DrillMeans {
  readonly configuration: Configuration;
  readonly account: Mailbox;
  readonly places: DrillPlaces;
  readonly relay: DrillRelay;
}

class Drill {
  readonly #means: DrillMeans;
  readonly #manner: Manner;
  readonly #steps: DrillSteps;
  readonly #begun = performance.now();

  constructor(means: DrillMeans, manner: Manner) {
    this.#means = means;
    this.#manner = manner;
    const onStep = (step: DrillStep) => manner.show(stepText(step));
    this.#steps = new DrillSteps(manner.signal, onStep, manner.limits);
  }

  async run(): Promise<DrillReport> {
    const { configuration, account, places, relay } = this.#means;
    const { show, signal } = this.#manner;
    const { address } = account;
    await show(`${headText(address)}\n`);
    const password = randomBytes(18).toString("base64url");
    const record = await this.#record(password);
    const rehearsing = new Rehearsing({ configuration, account, places, relay, record, password });
    await admit(this.#means);
    try {
      await writeRecord(configuration.relay.spool_directory, record);
      await rehearsing.run(this.#steps);
    } finally {
      await rehearsing.close();
      await this.#cleanUp(record);
    }
    return {
      ok: this.#steps.haveAllWorked && !signal.aborted,
      ...(signal.aborted ? { interrupted: true as const } : {}),
      account: address,
      failover: rehearsing.mode,
      seconds: Math.round(performance.now() - this.#begun) / 1000,
      steps: this.#steps.done,
    };
  }

  async #record(password: string): Promise<DrillRecord> {
    const { configuration, account, places } = this.#means;
    const users = usersFileOf(configuration);
    const paths = [...places.all, dovecotStateOf(account, configuration)];
    return {
      address: account.address,
      pid: process.pid,
      users,
      password: await passwordFieldOf(password),
      ...present({ added: await addedTo(users) }),
      directories: paths.map(directoryOf),
    };
  }

  /** A step like the others, and done whatever has happened. */
  async #cleanUp(record: DrillRecord): Promise<void> {
    const { configuration, relay, account } = this.#means;
    const steps = new DrillSteps(new AbortController().signal, async (step) => {
      this.#steps.done.push(step);
      await this.#manner.show(stepText(step));
    });
    const owner = ownerOf(configuration);
    const directory = configuration.relay.spool_directory;
    await steps.take("clean-up", [], async () => {
      let why: unknown;
      try {
        await relay.order("end", account.address);
      } catch (error) {
        why = error;
      }
      // With the record, the relay removes the mail from its queue when it starts.
      await removeTraces(directory, record, { owner, keepRecord: why !== undefined });
      if (why !== undefined) throw new Error(`${describeError(why)}; the next start does the rest`);
      return "user, account and mail are removed";
    });
  }
}

/**
 * From now on the relay has the account. It ends by itself after a time, so this comes before the record. A drill that
 * has begun and has no record was killed, or writes its record now.
 */
async function admit({ configuration, relay, account }: DrillMeans): Promise<void> {
  const { begun } = await relay.order("begin", account.address);
  if (begun === true) return;
  await sleep(1000);
  await removeLeft(configuration, relay);
  await relay.order("end");
  const again = await relay.order("begin", account.address);
  if (again["begun"] !== true) throw new CommandError("another drill is under way", EXIT.notDone);
}

/** What a line at the end of the file adds that its removal leaves. */
async function addedTo(file: string): Promise<DrillRecord["added"]> {
  try {
    const octets = await readFile(file);
    return octets.length === 0 || octets.at(-1) === 0x0a ? undefined : "line end";
  } catch (error) {
    if (isTable(error) && error["code"] === "ENOENT") return "file";
    throw error;
  }
}
