// relayctl dovecot-config with Debian's Dovecot and with mail programs: what they do to the archive.

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { findUser } from "../../src/base/users.ts";
import { argon2Of } from "../../src/users/argon2.ts";
import { workspaceConfig } from "../support/build.ts";
import { freePort } from "../support/relay-process.ts";
import { startTestRelay } from "../support/relay.ts";
import { startSink } from "../support/sink.ts";
import { realMail, submit } from "./mail.ts";
import { missing } from "./packages.ts";
import { startDaemon, textOf, workDirectory } from "./program.ts";

const skip = missing("dovecot-imapd", "isync");
const MAIN = join(import.meta.dirname, "../../src/main.ts");
const TLS = join(import.meta.dirname, "../support/tls");
const run = promisify(execFile);

interface Served extends AsyncDisposable {
  readonly directory: string;
  readonly port: number;
  log(): string;
}

/** A relay's Maildirs with real mail, received and sent, which Dovecot serves by what relayctl prints. */
async function served(...flags: readonly string[]): Promise<Served> {
  const directory = workDirectory("dovecot-config");
  const port = await freePort();
  await fill(directory);
  const file = join(directory, "routers.toml");
  writeFileSync(
    file,
    `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
user = "nobody"
[[listeners]]
address = "127.0.0.1:0"
tls = "starttls"
certificate = "${TLS}/certificate.pem"
private_key = "${TLS}/private-key.pem"
${workspaceConfig(25)}
[failover]
transports = ["gmail"]
imap = "127.0.0.1:${port}"
`,
  );
  const password = await argon2Of("secret");
  const users = `alice@example.com:{ARGON2ID}${password}::::::unseen_role=auditor\n`;
  writeFileSync(join(directory, "users"), users, { mode: 0o600 });
  giveToNobody(directory);
  const args = [MAIN, "dovecot-config", "--version", "2.3", ...flags, "--config", file];
  const printed = execFileSync(process.execPath, args, { encoding: "utf8" });
  const own = `base_dir = ${directory}/run\nstate_dir = ${directory}/state\nlog_path = ${directory}/log\n`;
  writeFileSync(join(directory, "dovecot.conf"), `${printed}${own}`);
  const command = ["dovecot", "-F", "-c", join(directory, "dovecot.conf")];
  const daemon = await startDaemon(command, port, directory);
  return {
    directory,
    port,
    log: () => textOf(join(directory, "log")),
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

async function fill(directory: string): Promise<void> {
  mkdirSync(join(directory, "spool"));
  await using google = await startSink();
  await using relay = await startTestRelay({
    config: workspaceConfig(google.port).replaceAll(
      'directory = "mail/',
      `directory = "${directory}/mail/`,
    ),
    files: { gmail_accounts: "alice\nbob\n" },
  });
  writeFileSync(join(directory, "gmail_accounts"), "alice\nbob\n");
  const mails = realMail();
  await submit(relay.port, "carol@example.org", "alice@example.com", mails);
  await submit(relay.port, "alice@example.com", "bob@example.com", mails);
  await relay.happened("message.completed", 2 * mails.length);
}

function giveToNobody(directory: string): void {
  const nobody = findUser("nobody");
  assert.ok(nobody !== undefined);
  for (const below of ["users", "gmail_accounts", "mail", "spool"]) {
    const path = join(directory, below);
    chownSync(path, nobody.uid, nobody.gid);
    if (!statSync(path).isDirectory()) continue;
    for (const name of readdirSync(path, { recursive: true, encoding: "utf8" }))
      chownSync(join(path, name), nobody.uid, nobody.gid);
  }
}

/** The sum of each file of the archive by its name, with new/ and cur/ as one, and the names of all directories. */
function archive(directory: string): ReadonlyMap<string, string> {
  const root = join(directory, "mail");
  const all = readdirSync(root, { recursive: true, withFileTypes: true });
  return new Map(
    all.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const name = relative(root, path).replace(/\/(?:new|cur)\/(.+?)(?::2,)?$/, "/$1");
      if (!entry.isFile()) return [name, "directory"];
      return [name, createHash("sha256").update(readFileSync(path)).digest("hex")];
    }),
  );
}

/** All that a mail program can ask for that would change a mailbox; prints the answers. */
const HOSTILE = `
import imaplib, ssl, sys
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
def login():
    session = imaplib.IMAP4_SSL("127.0.0.1", int(sys.argv[1]), ssl_context=context)
    session.login("Alice@Example.com", "secret")
    return session
m = login()
def ask(name, *args):
    try:
        print(name, getattr(m, name)(*args)[0])
    except imaplib.IMAP4.error as error:
        print(name, "NO", error)
mail = b"From: x@example.org\\r\\n\\r\\nhello\\r\\n"
for folder in ["INBOX", "Sent"]:
    ask("select", folder)
    ask("store", "1:*", "+FLAGS", "(\\\\Seen \\\\Deleted \\\\Answered \\\\Flagged Keyword)")
    ask("store", "1:*", "FLAGS", "(\\\\Deleted)")
    ask("fetch", "1:*", "(BODY[])")
    ask("expunge")
    ask("uid", "EXPUNGE", "1:*")
    ask("append", folder, "(\\\\Seen)", None, mail)
    ask("copy", "1:*", "Sent")
    ask("uid", "MOVE", "1:*", "Other")
    ask("setacl", folder, "alice@example.com", "lrswipkxtea")
    ask("deleteacl", folder, "alice@example.com")
    ask("setannotation", folder, "/comment", '("value.priv" "x")')
    ask("search", None, "TEXT", "the")
    ask("sort", "DATE", "UTF-8", "ALL")
    ask("rename", folder, "Stolen")
    ask("delete", folder)
    m = login()
for name in ["Made", "Sent/Below", "INBOX/Below", "Drafts", "Trash", ".dot", "a/../b"]:
    ask("create", name)
    ask("append", name, None, None, mail)
    ask("subscribe", name)
ask("subscribe", "Sent")
ask("setquota", "", "(STORAGE 1)")
ask("logout")
`;

describe("the archive, served by what relayctl dovecot-config prints", { skip }, () => {
  test("keeps each byte and gets no file, whatever a mail program asks for", async () => {
    await using dovecot = await served();
    const before = archive(dovecot.directory);
    assert.ok(before.size > 10);
    const { stdout } = await run("python3", ["-c", HOSTILE, String(dovecot.port)]);
    assert.match(stdout, /^fetch OK$/m);
    assert.match(stdout, /^append NO$/m);
    assert.match(stdout, /^create NO$/m);
    assert.doesNotMatch(stdout, /^(?:append|create|copy|rename|delete|setacl) OK$/m);
    assert.deepEqual(archive(dovecot.directory), before);
    const names = readdirSync(join(dovecot.directory, "mail"), {
      recursive: true,
      encoding: "utf8",
    });
    assert.deepEqual(
      names.filter((name) => /:2,./.test(name)),
      [],
    );
    assert.doesNotMatch(dovecot.log(), /Error|Warning|Panic/);
  });

  test("is copied whole by mbsync", async () => {
    await using dovecot = await served();
    const before = archive(dovecot.directory);
    const copy = join(dovecot.directory, "copy");
    mkdirSync(copy);
    const file = join(dovecot.directory, "mbsyncrc");
    writeFileSync(file, mbsyncrc(dovecot.port, copy));
    await run("mbsync", ["--config", file, "all"]);
    const count = (folder: string) =>
      readdirSync(join(copy, folder, "new")).length + readdirSync(join(copy, folder, "cur")).length;
    assert.deepEqual([count("INBOX"), count("Sent")], [realMail().length, realMail().length]);
    assert.deepEqual(archive(dovecot.directory), before);
  });

  test("remembers what was seen, and not in the archive; Sent is known by its use", async () => {
    await using dovecot = await served();
    const { stdout } = await run("python3", ["-c", SEEN, String(dovecot.port)]);
    assert.match(stdout, /\\\\Sent\) "\/" Sent/);
    assert.match(stdout, /1 \(FLAGS \(\\\\Seen[^)]*\)\)/);
  });

  test("with --write-access it is a real mailbox", async () => {
    await using dovecot = await served("--write-access");
    const before = archive(dovecot.directory);
    const { stdout } = await run("python3", ["-c", HOSTILE, String(dovecot.port)]);
    assert.match(stdout, /^append OK$/m);
    assert.match(stdout, /^create OK$/m);
    assert.notDeepEqual(archive(dovecot.directory), before);
  });
});

const SEEN = `
import imaplib, ssl, sys
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
for turn in range(2):
    m = imaplib.IMAP4_SSL("127.0.0.1", int(sys.argv[1]), ssl_context=context)
    m.login("alice@example.com", "secret")
    m.select("INBOX")
    m.store("1", "+FLAGS", "(\\\\Seen)") if turn == 0 else print(m.fetch("1", "(FLAGS)"), m.list())
    m.logout()
`;

function mbsyncrc(port: number, copy: string): string {
  return `IMAPAccount a
Host localhost
Port ${port}
User alice@example.com
Pass secret
SSLType IMAPS
CertificateFile ${TLS}/certificate.pem
SystemCertificates no

IMAPStore far
Account a

MaildirStore near
Path ${copy}/
Inbox ${copy}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Near
SyncState *
Sync Pull
`;
}
