// The proxies between real mail programs and Dovecot: what the programs get, and what is kept.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { RIGHT } from "../config/configuration.ts";
import { OURS } from "../support/certificates.ts";
import { Place } from "../support/program.ts";
import { freePort, type RelayProcess, startRelayProcess } from "../support/relay-process.ts";
import { type DovecotMailboxes, startDovecotMailboxes } from "./dovecot-mailboxes.ts";
import { missing } from "./packages.ts";

const run = promisify(execFile);
const skip = missing("dovecot-imapd", "dovecot-pop3d", "fetchmail", "getmail6", "mpop");

const MESSAGES = [
  "Subject: one\n\nHello\n",
  "Subject: dots\n\n.\n..\n.x\nend\n",
  `Subject: long\n\n${`${"x".repeat(70)}\n`.repeat(20_000)}`,
  "Subject: 8 bit\n\nGr\xfc\xdfe\n",
].map((text) => Buffer.from(text, "latin1"));

const digest = (octets: Buffer | string) => createHash("sha256").update(octets).digest("hex");
const DIGESTS = MESSAGES.map(digest).toSorted();

interface Served extends AsyncDisposable {
  readonly dovecot: DovecotMailboxes;
  readonly relay: RelayProcess;
  readonly place: Place;
  readonly ports: Readonly<Record<"keep" | "pop" | "imap" | "imaps" | "starttls", number>>;
  /** The SHA-256 of the files in a Maildir below the place. */
  digests(maildir: string): string[];
}

async function served(): Promise<Served> {
  const dovecot = await startDovecotMailboxes("alice", MESSAGES);
  const place = new Place();
  chmodSync(place.directory, 0o755);
  const [keep, pop, imap, imaps, starttls] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const tls = `certificate = "${OURS.certificate}"\nprivate_key = "${OURS.privateKey}"`;
  const table = (name: string, protocol: "imap" | "pop3", port: number, more: string) => `
[[proxies]]
name = "${name}"
protocol = "${protocol}"
address = "127.0.0.1:${port}"
server = "127.0.0.1:${dovecot[protocol]}"
${more}
`;
  const file = place.write(
    "routers.toml",
    `${RIGHT.replace("[relay]\n", `[relay]\nspool_directory = "${place.directory}/spool"\n`)}
[transports.copies]
driver = "maildir-append"
directory = "${place.directory}/kept/{account_domain}/{account_local_part}/{folder}"
${table("keep", "pop3", keep, 'transport = "copies"\ndefault_domain = "example.com"')}
${table("pop", "pop3", pop, "")}
${table("imap", "imap", imap, "")}
${table("imaps", "imap", imaps, `tls = "implicit"\n${tls}`)}
${table("starttls", "imap", starttls, `tls = "starttls"\n${tls}`)}
`.replace("127.0.0.1:2525", "127.0.0.1:0"),
  );
  const relay = await startRelayProcess(file);
  return {
    dovecot,
    relay,
    place,
    ports: { keep, pop, imap, imaps, starttls },
    digests: (maildir) =>
      readdirSync(join(place.directory, maildir, "new"))
        .map((name) => digest(readFileSync(join(place.directory, maildir, "new", name))))
        .toSorted(),
    async [Symbol.asyncDispose]() {
      await relay.kill("SIGTERM");
      await dovecot[Symbol.asyncDispose]();
      place[Symbol.dispose]();
    },
  };
}

const POPLIB = `
import poplib, sys
poplib._MAXLINE = 10**8
def all(port):
    server = poplib.POP3("127.0.0.1", port)
    got = [server.getwelcome(), server.capa()]
    server.user("alice")
    got.append(server.pass_("secret"))
    got += [server.stat(), server.list(), server.uidl()]
    for number in range(1, server.stat()[0] + 1):
        got += [server.top(number, 0), server.retr(number)]
    got.append(server.quit())
    return got
direct, *others = [all(int(port)) for port in sys.argv[1:]]
for other in others:
    assert other == direct, (other, direct)
`;

const IMAPLIB = `
import imaplib, ssl, sys
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
def everything(server):
    got = [server.login("alice", "secret"), server.select(), server.search(None, "ALL")]
    got.append(server.fetch("1:*", "(UID FLAGS BODY.PEEK[])"))
    server.append("INBOX.Sent", None, None, b"Subject: sent\\r\\n\\r\\nx\\r\\n")
    got.append(server.list())
    server.logout()
    return got
direct, clear, tls, starttls = map(int, sys.argv[1:])
wanted = everything(imaplib.IMAP4("127.0.0.1", direct))
assert everything(imaplib.IMAP4("127.0.0.1", clear)) == wanted
assert everything(imaplib.IMAP4_SSL("127.0.0.1", tls, ssl_context=context)) == wanted
server = imaplib.IMAP4("127.0.0.1", starttls)
assert "LOGINDISABLED" in server.capabilities
try:
    server.login("alice", "secret")
    raise SystemExit("a login in clear")
except imaplib.IMAP4.error as error:
    assert "PRIVACYREQUIRED" in str(error), error
server.starttls(context)
assert everything(server) == wanted
`;

describe("proxies in front of Dovecot", { skip }, () => {
  test("poplib and imaplib get what they get from Dovecot itself", async () => {
    await using all = await served();
    const { dovecot, ports } = all;
    const pop = [dovecot.pop3, ports.pop, ports.keep].map(String);
    await run("python3", ["-c", POPLIB, ...pop]);
    const imap = [dovecot.imap, ports.imap, ports.imaps, ports.starttls].map(String);
    await run("python3", ["-c", IMAPLIB, ...imap]);
    assert.deepEqual(all.digests("kept/example.com/alice"), DIGESTS);
    assert.doesNotMatch(all.relay.log(), /secret/);
  });

  test("fetchmail, getmail and mpop: every message is kept once", async () => {
    await using all = await served();
    const { place, ports } = all;
    const at = (name: string) => join(place.directory, name);
    for (const maildir of ["getmail", "mpop"]) {
      for (const part of ["new", "cur", "tmp"])
        mkdirSync(at(`${maildir}/${part}`), { recursive: true });
    }
    mkdirSync(at("fetched"));
    const rc = place.write(
      "fetchmailrc",
      `poll 127.0.0.1 protocol pop3 port ${ports.keep} username "alice" password "secret" sslproto "" keep fetchall no rewrite mda "/bin/sh -c 'cat > ${at("fetched")}/$$'"\n`,
    );
    chmodSync(rc, 0o600);
    await run("fetchmail", ["-f", rc, "--nosyslog"], {
      env: { ...process.env, HOME: place.directory },
    });
    assert.equal(readdirSync(at("fetched")).length, MESSAGES.length);
    assert.deepEqual(all.digests("kept/example.com/alice"), DIGESTS);

    place.write(
      "getmailrc",
      `[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = ${ports.keep}\nusername = alice\npassword = secret\n[destination]\ntype = Maildir\npath = ${at("getmail")}/\nuser = nobody\n[options]\nread_all = true\n`,
    );
    await run("chown", ["-R", "nobody", at("getmail"), at("getmailrc")]);
    chmodSync(place.directory, 0o777);
    await run("su", ["-s", "/bin/sh", "nobody", "-c", `getmail --getmaildir ${place.directory}`]);
    assert.equal(readdirSync(at("getmail/new")).length, MESSAGES.length);

    const mpoprc = at("mpoprc");
    writeFileSync(
      mpoprc,
      `account default\nhost 127.0.0.1\nport ${ports.keep}\nuser alice\npassword secret\ntls off\nauth user\nkeep on\ndelivery maildir ${at("mpop")}\nuidls_file ${at("uidls")}\n`,
      { mode: 0o600 },
    );
    await run("mpop", ["-C", mpoprc, "-q"]);
    assert.equal(readdirSync(at("mpop/new")).length, MESSAGES.length);
    assert.deepEqual(all.digests("kept/example.com/alice"), DIGESTS);

    const status = await place.relayctl(
      "proxies",
      "status",
      "--json",
      "--config",
      at("routers.toml"),
    );
    const [account] = JSON.parse(status.stdout).accounts;
    assert.equal(account.kept, MESSAGES.length);
    assert.equal(account.known, 2 * MESSAGES.length);
  });

  test("openssl: TLS 1.2 and 1.3, and nothing older", async () => {
    await using all = await served();
    const connect = `127.0.0.1:${all.ports.imaps}`;
    const dialogue = (flag: string) =>
      run("sh", [
        "-c",
        `(printf 'a LOGIN alice secret\\r\\n'; sleep 1; printf 'b LOGOUT\\r\\n'; sleep 1) | openssl s_client -quiet ${flag} -connect ${connect} 2>&1`,
      ]);
    for (const flag of ["-tls1_2", "-tls1_3"]) {
      assert.match((await dialogue(flag)).stdout, /^a OK .*Logged in/m);
    }
    const old = await dialogue("-tls1_1 -cipher DEFAULT:@SECLEVEL=0").catch(
      (error: unknown) => error,
    );
    assert.doesNotMatch(JSON.stringify(old), /a OK/);
  });
});
