// Maildirs on a file system that hangs, under the relay as its users run it: mail for others passes, the relay starts
// and stops, and each copy is made when the file system answers, once.

import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { findUser } from "../../src/base/users.ts";
import { processConfig } from "../support/build.ts";
import { type HangingCall, type HangingFiles, hangingFiles } from "../support/hanging-files.ts";
import { freePort, type RelayProcess, startRelayProcess } from "../support/relay-process.ts";
import { type Sink, startSink } from "../support/sink.ts";
import { Wire } from "../support/wire.ts";
import { eventually } from "./eventually.ts";
import { missing } from "./packages.ts";

interface GroundOptions {
  /** The file system that hangs, in the directory of all Maildirs: of alice's if not given. */
  readonly below?: string;
  /** Further lines of [relay]. */
  readonly relay?: string;
}

class Ground implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "unseen-hanging-"));
  readonly files: HangingFiles;
  readonly sink: Sink;
  readonly #port: number;
  readonly #config: string;
  #relay: RelayProcess | undefined;

  private constructor(sink: Sink, port: number, { below = "alice", relay = "" }: GroundOptions) {
    this.sink = sink;
    this.#port = port;
    this.#config = join(this.directory, "routers.toml");
    this.files = hangingFiles(join(this.directory, "mail", below), this.directory);
    chmodSync(this.directory, 0o755);
    writeFileSync(join(this.directory, "accounts"), "alice\nbob\n");
    const retry = '[[retry]]\nmatch = "*"\nrules = "F,2h,1s"\n';
    const reserve = 'spool_reserve = "0"\nspool_reserve_inodes = 0';
    writeFileSync(this.#config, processConfig(port, sink.port, `${reserve}\n${relay}`) + retry);
  }

  static async prepare(options: GroundOptions = {}): Promise<Ground> {
    return new Ground(await startSink(), await freePort(), options);
  }

  get log(): string {
    return this.#relay?.log() ?? "";
  }

  async start(): Promise<void> {
    this.#relay = await startRelayProcess(this.#config, this.files.environment);
  }

  async stop(): Promise<void> {
    await this.#relay?.kill("SIGTERM");
  }

  /** A message to one of them, or to both, with its name in it. */
  async send(name: string, ...to: readonly string[]): Promise<void> {
    using wire = await Wire.open(this.#port);
    await wire.reply();
    await wire.ask("EHLO client.test");
    assert.match(await wire.ask("MAIL FROM:<sender@w.test>"), /^250 /);
    for (const local of to) assert.match(await wire.ask(`RCPT TO:<${local}@example.com>`), /^250 /);
    assert.match(await wire.ask("DATA"), /^354 /);
    assert.match(await wire.ask(`X-Name: ${name}\r\n\r\n${LINES}.`), /^250 /);
  }

  /** Names of the messages that have arrived, in order. */
  relayed(): string[] {
    return this.sink.messages.map(({ raw }) => nameOf(raw.toString("latin1"))).toSorted();
  }

  /** Names of the messages in a Maildir, in order. */
  copies(account: string): string[] {
    const maildir = join(this.directory, "mail", account);
    const files = ["new", "cur"].flatMap((part) =>
      namesIn(join(maildir, part)).map((name) => join(maildir, part, name)),
    );
    return files.map((file) => nameOf(readFileSync(file, "latin1"))).toSorted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#relay?.kill("SIGKILL");
    await this.sink.close();
    rmSync(this.directory, { recursive: true });
  }
}

const LINES = `${"x".repeat(70)}\r\n`.repeat(10);

function nameOf(message: string): string {
  return /^X-Name: (.*?)\r?$/m.exec(message)?.[1] ?? "none";
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

const skip = process.platform === "linux" ? missing("gcc", "libc6-dev") : "needs Linux";

/** What a copy asks of the file system, from its first call to its last. */
const PHASES: readonly HangingCall[] = [
  "mkdir",
  "open",
  "create",
  "write",
  "rename",
  "sync-directory",
];

describe("a Maildir that hangs", { skip }, () => {
  for (const phase of PHASES) {
    it(`in ${phase} holds up its own copies only, which are made once when it answers`, async () => {
      await using ground = await Ground.prepare();
      await ground.start();
      ground.files.hang(phase);
      await ground.send("1", "alice");
      await eventually("a call hangs", () => ground.files.waiting().length > 0);
      assert.match(ground.files.waiting().join("\n"), new RegExp(`^(?:${phase} .*\n?)+$`));
      await ground.send("2", "bob");
      await eventually("mail for others passes", () => ground.relayed().includes("2"));
      await eventually("and has its copy", () => ground.copies("bob").length === 1);
      await ground.send("3", "alice", "bob");
      await eventually("mail passes without its copy", () => ground.relayed().length === 3);
      await eventually("the log says so", () => ground.log.includes('"maildir.hung"'));
      await ground.send("4", "alice");
      ground.files.answer();
      await eventually("the log says so", () => ground.log.includes('"maildir.answered"'));
      const completed = () => ground.log.split('"message.completed"').length - 1;
      await eventually("the queue is empty", () => completed() === 4);
      assert.deepEqual(ground.copies("alice"), ["1", "3", "4"]);
      assert.deepEqual(ground.copies("bob"), ["2", "3"]);
      assert.deepEqual(ground.relayed(), ["1", "2", "3", "4"]);
    });
  }

  it("lets the relay stop, and start; its copies are made once", async () => {
    await using ground = await Ground.prepare();
    await ground.start();
    await ground.send("1", "alice");
    await eventually("it is delivered", () => ground.copies("alice").length === 1);
    ground.files.hang();
    await ground.send("2", "alice");
    await eventually("a call hangs", () => ground.files.waiting().length > 0);
    await ground.stop();
    await ground.start();
    await ground.send("3", "bob", "alice");
    await eventually("mail passes", () => ground.relayed().length === 3);
    await eventually("others have their copies", () => ground.copies("bob").length === 1);
    ground.files.answer();
    await eventually("the rest is made", () => ground.copies("alice").length >= 3);
    await ground.stop();
    assert.deepEqual(ground.copies("alice"), ["1", "2", "3"]);
  });

  const isRoot = process.getuid?.() === 0;
  it("does not keep the relay from leaving root", { skip: !isRoot && "needs root" }, async () => {
    await using ground = await Ground.prepare({ below: "", relay: 'user = "nobody"' });
    const mail = join(ground.directory, "mail");
    mkdirSync(mail);
    const { uid, gid } = findUser("nobody") ?? { uid: 0, gid: 0 };
    chownSync(mail, uid, gid);
    ground.files.hang();
    await ground.start();
    await eventually("the log names it", () => ground.log.includes(`"directory":"${mail}"`));
    await ground.send("1", "alice");
    await eventually("mail passes", () => ground.relayed().length === 1);
    await ground.stop();
    await ground.start();
    ground.files.answer();
    await eventually("the copy is made", () => ground.copies("alice").length === 1);
    assert.equal(statSync(join(mail, "alice")).uid, uid);
  });

  it("is named at the start", async () => {
    await using ground = await Ground.prepare();
    mkdirSync(join(ground.directory, "mail", "alice"), { recursive: true });
    ground.files.hang();
    await ground.start();
    const line = `"event":"maildir.hung","directory":"${join(ground.directory, "mail", "alice")}"`;
    await eventually("the log names it", () => ground.log.includes(line));
    await ground.send("1", "bob", "alice");
    await eventually("mail passes", () => ground.relayed().length === 1);
    await eventually("others have their copies", () => ground.copies("bob").length === 1);
    ground.files.answer();
    await eventually("the rest is made", () => ground.copies("alice").length === 1);
  });
});
