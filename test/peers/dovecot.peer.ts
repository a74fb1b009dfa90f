// Dovecot serves the Maildirs with the settings of docs/set-up.md: the day on which Google is gone.

import assert from "node:assert/strict";
import {
  chownSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { digest, digestInMaildir } from "../../demo/letters.ts";
import { findUser } from "../../src/base/users.ts";
import { workspaceConfig } from "../support/build.ts";
import { freePort } from "../support/relay-process.ts";
import { startTestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import { realMail, submit } from "./mail.ts";
import { missing } from "./packages.ts";
import { startDaemon, textOf, workDirectory } from "./program.ts";

const skip = missing("dovecot-imapd");
const COMPLAINTS = /Error|Warning|wrong|corrupt/i;

interface Dovecot extends AsyncDisposable {
  readonly port: number;
  log(): string;
}

/** Takes a copy of the Maildirs, for a user that may read nothing else. */
async function startDovecot(maildirs: string): Promise<Dovecot> {
  const directory = workDirectory("dovecot");
  const port = await freePort();
  const mail = join(directory, "mail");
  cpSync(maildirs, mail, { recursive: true, preserveTimestamps: true });
  const nobody = findUser("nobody");
  assert.ok(nobody !== undefined);
  const index = join(directory, "index");
  mkdirSync(index);
  for (const path of [mail, index]) {
    chownSync(path, nobody.uid, nobody.gid);
    for (const below of readdirSync(path, { recursive: true, encoding: "utf8" })) {
      chownSync(join(path, below), nobody.uid, nobody.gid);
    }
  }
  writeFileSync(join(directory, "users"), "alice@example.com:{PLAIN}secret\n");
  const file = join(directory, "dovecot.conf");
  writeFileSync(file, configuration(directory, port));
  const daemon = await startDaemon(["dovecot", "-F", "-c", file], port, directory);
  return {
    port,
    log: () => textOf(join(directory, "log")),
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

/** The settings in docs/set-up.md, with our directories and user, behind those that every Dovecot has. */
function configuration(directory: string, port: number): string {
  const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "set-up.md"), "utf8");
  const settings = /^# \/etc\/dovecot\/local\.conf\n(.*?)^```/ms.exec(page)?.[1];
  assert.ok(settings !== undefined, "docs/set-up.md has no settings for Dovecot");
  const here = settings
    .replaceAll("/var/mail/unseen", `${directory}/mail`)
    .replaceAll("/var/lib/dovecot/unseen", `${directory}/index`)
    .replace(/\/etc\/dovecot\/unseen\.users.*/, `${directory}/users`)
    .replace("uid=unseen gid=unseen", "uid=nobody gid=nogroup");
  return `
listen = 127.0.0.1
base_dir = ${directory}/run
state_dir = ${directory}/state
log_path = ${directory}/log
ssl = no
disable_plaintext_auth = no
service imap-login {
  inet_listener imap {
    port = ${port}
  }
  inet_listener imaps {
    port = 0
  }
}
${here}`;
}

/** As much of IMAP (RFC 9051) as it takes to read a mailbox. */
class Imap implements Disposable {
  readonly #socket: Socket;
  #input = "";
  #tag = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.on("data", (chunk) => {
      this.#input += chunk.toString("latin1");
      this.#wake?.();
    });
    this.#socket.on("close", () => {
      this.#ended = true;
      this.#wake?.();
    });
  }

  /** Everything up to and with the tagged OK. */
  async ask(command: string): Promise<string> {
    const tag = `a${++this.#tag}`;
    this.#socket.write(`${tag} ${command}\r\n`);
    const end = new RegExp(`^${tag} (OK|NO|BAD).*\r\n`, "m");
    for (;;) {
      const done = end.exec(this.#input);
      if (done !== null) {
        const answer = this.#input.slice(0, done.index);
        this.#input = this.#input.slice(done.index + done[0].length);
        assert.equal(done[1], "OK", done[0]);
        return answer;
      }
      assert.ok(!this.#ended, "the server has hung up");
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async fetch(number: number): Promise<{ size: number; bytes: Buffer }> {
    const answer = await this.ask(`FETCH ${number} (RFC822.SIZE BODY.PEEK[])`);
    const found = /RFC822\.SIZE (\d+) BODY\[\] \{(\d+)\}\r\n/.exec(answer);
    assert.ok(found !== null, answer.slice(0, 200));
    const start = found.index + found[0].length;
    const bytes = Buffer.from(answer.slice(start, start + Number(found[2])), "latin1");
    return { size: Number(found[1]), bytes };
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

test("every message in and out can be read by IMAP, byte for byte", { skip }, async () => {
  await using google = await startSink();
  await using relay = await startTestRelay({
    config: workspaceConfig(google.port),
    files: { gmail_accounts: "alice\n" },
  });
  const mails = realMail();
  const sent = mails.map(({ bytes }) => digest(bytes)).toSorted();
  await submit(relay.port, "carol@example.org", "alice@example.com", mails);
  await submit(relay.port, "alice@example.com", "carol@example.org", mails);
  await relay.happened("message.completed", 2 * mails.length);

  await using dovecot = await startDovecot(join(relay.directory, "mail"));
  using imap = new Imap(dovecot.port);
  await imap.ask("LOGIN alice@example.com secret");
  for (const folder of ["INBOX", "Sent"]) {
    assert.ok((await imap.ask(`SELECT ${folder}`)).includes(`* ${mails.length} EXISTS`));
    const found: string[] = [];
    for (let number = 1; number <= mails.length; number++) {
      const { size, bytes } = await imap.fetch(number);
      assert.equal(size, bytes.length);
      found.push(
        digestInMaildir(Buffer.from(bytes.toString("latin1").replaceAll("\r\n", "\n"), "latin1")),
      );
    }
    assert.deepEqual(found.toSorted(), sent, folder);
  }
  assert.doesNotMatch(dovecot.log(), COMPLAINTS);
});

test("Dovecot would complain if S= were wrong", { skip }, async () => {
  await using google = await startSink();
  await using relay = await startTestRelay({
    config: workspaceConfig(google.port),
    files: { gmail_accounts: "alice\n" },
  });
  await submit(relay.port, "carol@example.org", "alice@example.com", realMail().slice(0, 1));
  await relay.happened("message.completed");
  const folder = join(relay.directory, "mail/example.com/alice/new");
  for (const name of readdirSync(folder)) {
    renameSync(join(folder, name), join(folder, name.replace(/,S=\d+$/, ",S=7")));
  }

  await using dovecot = await startDovecot(join(relay.directory, "mail"));
  using imap = new Imap(dovecot.port);
  await imap.ask("LOGIN alice@example.com secret");
  await imap.ask("SELECT INBOX");
  await imap.ask("FETCH 1 (RFC822.SIZE BODY.PEEK[])").catch(() => undefined);
  assert.match(dovecot.log(), COMPLAINTS);
});
