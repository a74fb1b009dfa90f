// What a drill rehearses, step by step: user, IMAP, submission, copies, fail-over on and off.

import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { errorCode } from "../../../base/error-code.ts";
import { isTable } from "../../../base/table.ts";
import { findUser } from "../../../base/users.ts";
import type { Configuration } from "../../../config/configuration.ts";
import type { Mailbox as Address } from "../../../mail/envelope.ts";
import { changeUsers } from "../../../users/users.ts";
import { requireSection } from "../command.ts";
import { hasCertificate } from "../greeting.ts";
import type { DrillPlaces } from "./account.ts";
import { type Mailbox, openMailbox } from "./mailbox.ts";
import type { DrillRecord } from "./record.ts";
import type { DrillRelay } from "./relay.ts";
import type { DrillMessage } from "./relay-side.ts";
import { sendTest, submissionListener } from "./sending.ts";
import { type DrillSteps, seen, Skipped } from "./steps.ts";

interface RehearsingMeans {
  readonly configuration: Configuration;
  readonly account: Address;
  readonly places: DrillPlaces;
  readonly relay: DrillRelay;
  readonly record: DrillRecord;
  readonly password: string;
}

/** The modes of fail-over in which the drill's own fail-over would change nothing. */
const MODES: Readonly<Record<string, string>> = {
  on: "fail-over is on, and the drill leaves it on",
  "keep-local": "fail-over is on, and the drill leaves it on",
  releasing: "mail that waited is being released, and the drill leaves that alone",
};

/** Milliseconds that a message under way has at the end. */
const SEND_MAX = 5000;

export class Rehearsing {
  /** The state of fail-over: "off", "on", "keep-local" or "releasing". */
  mode = "off";
  readonly #means: RehearsingMeans;
  readonly #token = randomBytes(6).toString("hex");
  #mailbox: Mailbox | undefined;
  #sending: Promise<unknown> = Promise.resolve();

  constructor(means: RehearsingMeans) {
    this.#means = means;
  }

  async run(steps: DrillSteps): Promise<void> {
    await steps.take("account", [], () => this.#account());
    await steps.take("user", ["account"], () => this.#addUser());
    await steps.take("login", ["user"], () => this.#login());
    await steps.take("search", ["login"], () => this.#search());
    await steps.take("send", ["user"], () => this.#send("first"));
    await steps.take(".Sent on disk", ["send"], (signal) => this.#sentOnDisk(signal));
    await steps.take(".Sent by IMAP", [".Sent on disk", "login"], (signal) => this.#sent(signal));
    await steps.take("inbox by IMAP", ["send", "login"], (signal) => this.#inbox(signal));
    await steps.take("fail-over on", ["send"], () => this.#on());
    await steps.take("mail waits", ["send"], (signal) => this.#waits(signal));
    await steps.take("fail-over off", ["mail waits"], () => this.#off());
    await steps.take("mail released", ["fail-over off"], (signal) => this.#released(signal));
  }

  /** Lets a message that is being sent come to its end. Never rejects. */
  async close(): Promise<void> {
    await Promise.race([this.#sending, sleep(SEND_MAX)]);
    try {
      await this.#mailbox?.close();
    } catch {
      // The server has ended the connection itself.
    }
  }

  async #account(): Promise<string> {
    await this.#messages();
    return `the relay takes its mail, and copies it into ${this.#means.places.inbox}`;
  }

  /** Throws if there is no use in changing the fail-over of the drill. */
  #requireOff(): void {
    const why = MODES[this.mode];
    if (why !== undefined) throw new Skipped(why);
  }

  async #addUser(): Promise<string> {
    const { account, record, configuration } = this.#means;
    const { user } = configuration.relay;
    const owner = user === undefined ? undefined : findUser(user);
    await changeUsers(record.users, { owner }, (users) => {
      if (users.find(account.address) !== undefined) throw new Error("there is such a user now");
      users.add(account.address, { password: record.password });
      return true;
    });
    return `in ${record.users}`;
  }

  async #login(): Promise<string> {
    const { configuration, account, password } = this.#means;
    const { imap: address } = requireSection(configuration);
    const isTls = hasCertificate(configuration);
    this.#mailbox = await openMailbox({ address, isTls, user: account.address, password });
    return `Dovecot on ${address.written} takes the password`;
  }

  async #search(): Promise<string> {
    const found = await this.#opened().search("INBOX", this.#subject("first"));
    return found.length === 0 ? "an empty mailbox, which answers" : `${found.length} messages`;
  }

  #opened(): Mailbox {
    if (this.#mailbox === undefined) throw new Error("there is no IMAP session");
    return this.#mailbox;
  }

  #subject(which: "first" | "second"): string {
    return `Drill ${this.#token} ${which}`;
  }

  async #send(which: "first" | "second"): Promise<string> {
    const { configuration, account, password } = this.#means;
    const listener = submissionListener(configuration);
    if (listener === undefined) {
      throw new Error('no listener in routers.toml has protocol = "submission"');
    }
    const sender = { address: account.address, password };
    const sending = sendTest(listener, sender, this.#subject(which));
    this.#sending = sending.catch(() => undefined);
    const reply = await sending;
    return `on ${listener.address.written}: ${reply}`;
  }

  async #sentOnDisk(signal: AbortSignal): Promise<string> {
    const { sent } = this.#means.places;
    if (sent === undefined) throw new Error("no router makes a copy of sent mail");
    await seen(signal, () => messageIn(sent.path, this.#subject("first")));
    return sent.path;
  }

  /** The server must give the octets of the copy. */
  async #sent(signal: AbortSignal): Promise<string> {
    const { sent } = this.#means.places;
    if (sent === undefined) throw new Error("no router makes a copy of sent mail");
    const subject = this.#subject("first");
    const served = await seen(signal, () => this.#opened().message(sent.folder, subject));
    const copy = await messageIn(sent.path, subject);
    if (copy === undefined || !withCrlf(copy).equals(served)) {
      throw new Error(`Dovecot serves other octets than the copy in ${sent.path} has`);
    }
    return `${served.length} octets, the same as on disk`;
  }

  async #inbox(signal: AbortSignal): Promise<string> {
    const subject = this.#subject("first");
    const served = await seen(signal, () => this.#opened().message("INBOX", subject));
    return `found by SEARCH, ${served.length} octets`;
  }

  async #on(): Promise<string> {
    await this.#messages();
    this.#requireOff();
    await this.#means.relay.order("on");
    return "for the drill's mail only";
  }

  async #waits(signal: AbortSignal): Promise<string> {
    if (this.mode === "releasing") throw new Skipped(MODES["releasing"]);
    const before = new Set((await this.#messages()).map(({ id }) => id));
    await this.#send("second");
    const message = await seen(signal, async () =>
      (await this.#messages()).find(
        ({ id, copies, waits, answer }) =>
          !before.has(id) && copies >= this.#means.places.copies && (waits || answer !== undefined),
      ),
    );
    if (message.waits) return `message ${message.id} waits, and its copies are made`;
    if (this.mode === "keep-local") return `message ${message.id} is settled by its copy`;
    throw new Error(`message ${message.id} does not wait: ${message.answer?.status}`);
  }

  async #off(): Promise<string> {
    this.#requireOff();
    await this.#means.relay.order("off");
    return "for the drill's mail only";
  }

  async #released(signal: AbortSignal): Promise<string> {
    const { id } = (await this.#messages()).findLast(() => true) ?? {};
    const message = await seen(signal, async () => {
      const now = (await this.#messages()).find((one) => one.id === id);
      this.#requireOff();
      return now?.waits === false && isOver(now) ? now : undefined;
    });
    const { kind, status } = message.answer ?? { kind: "done", status: "" };
    // A host that refuses an unknown address is back. One that refuses mail of ours for its policy is not.
    if (kind !== "done" || / 5\.7\.\d/.test(status))
      throw new Error(`the next host does not take message ${message.id}: ${status}`);
    return `message ${message.id} has gone to the next host: ${status}`;
  }

  async #messages(): Promise<readonly DrillMessage[]> {
    const { messages, mode } = await this.#means.relay.order("look");
    this.mode = String(mode);
    return Array.isArray(messages) ? messages.filter(isTable).map(messageOf) : [];
  }
}

/** A message that waited has a deferral of that time behind it. */
function isOver({ answer }: DrillMessage): boolean {
  return answer !== undefined && !answer.status.includes("a drill of fail-over is under way");
}

function messageOf(read: Readonly<Record<string, unknown>>): DrillMessage {
  const { id, waits, copies, answer } = read;
  const message = { id: String(id), waits: waits === true, copies: Number(copies) };
  if (!isTable(answer)) return message;
  const kind =
    answer["kind"] === "done" || answer["kind"] === "failed" ? answer["kind"] : "deferred";
  return { ...message, answer: { kind, status: String(answer["status"]) } };
}

/** The copy with this subject in a Maildir; undefined while there is none. */
async function messageIn(maildir: string, subject: string): Promise<Buffer | undefined> {
  for (const folder of ["new", "cur"]) {
    for (const name of await namesIn(join(maildir, folder))) {
      const copy = await contentOf(join(maildir, folder, name));
      if (copy?.includes(`\nSubject: ${subject}\n`) === true) return copy;
    }
  }
  return undefined;
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}

/** Undefined if the server has moved the file meanwhile. */
async function contentOf(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function withCrlf(copy: Buffer): Buffer {
  return Buffer.from(copy.toString("latin1").replaceAll("\n", "\r\n"), "latin1");
}
