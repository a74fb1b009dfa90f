import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { systemClock } from "../../../../src/base/clock.ts";
import { Copies } from "../../../../src/parts/proxies/copies/copies.ts";
import { load, RIGHT } from "../../../config/configuration.ts";
import { Place } from "../../../support/program.ts";
import { eventually } from "../../../peers/eventually.ts";
import { FakeServer, type Lines, type Proxied, type Script, startProxy } from "../proxied.ts";

const SMALL = "Subject: small\r\n\r\n.dot\r\n..two\r\nend\r\n";
const LARGE = `Subject: large\r\n\r\n${`${"x".repeat(70)}\r\n.y\r\n`.repeat(40_000)}`;
const MESSAGES = [SMALL, LARGE, SMALL, "Subject: only a header\r\n\r\n"];

const stuffed = (message: string) => `${message.replaceAll(/^\./gm, "..")}.\r\n`;

/** A server with these messages, which takes any login. */
const popServer =
  (messages: readonly string[] = MESSAGES): Script =>
  async (server) => {
    server.send("+OK ready\r\n");
    for (;;) {
      const [verb, number = "", lines = "0"] = (await server.line()).split(" ");
      const message = messages[Number(number) - 1] ?? "";
      if (verb === "RETR") server.send(`+OK ${message.length}\r\n${stuffed(message)}`);
      else if (verb === "TOP") {
        const [header = "", ...rest] = message.split(/(?<=\r\n\r\n)/);
        const body = rest
          .join("")
          .split(/(?<=\r\n)/)
          .slice(0, Number(lines))
          .join("");
        server.send(`+OK\r\n${stuffed(header + body)}`);
      } else if (verb === "LIST" && number !== "") {
        server.send(`+OK ${number} ${message.length}\r\n`);
      } else if (verb === "LIST" || verb === "UIDL") {
        server.send(
          `+OK\r\n${messages.map((one, at) => `${at + 1} ${one.length}\r\n`).join("")}.\r\n`,
        );
      } else if (verb === "CAPA") server.send("+OK\r\nTOP\r\nSTLS\r\nSASL PLAIN CRAM-MD5\r\n.\r\n");
      else if (verb === "QUIT") {
        server.send("+OK bye\r\n");
        return server.end();
      } else server.send(`+OK ${verb}\r\n`);
    }
  };

interface Keeping extends AsyncDisposable {
  readonly proxy: Proxied;
  readonly copies: Copies;
  login(user?: string): Promise<Lines>;
  /** The copies of an account, with CRLF. */
  files(account?: string): string[];
}

async function keeping(
  server: FakeServer,
  place: Place,
  more: Readonly<Record<string, unknown>> = {},
): Promise<Keeping> {
  const spool = join(place.directory, "spool");
  const text = RIGHT.replace("[relay]\n", `[relay]\nspool_directory = "${spool}"\n`);
  const file = place.write(
    "routers.toml",
    `${text}
[transports.proxy_copies]
driver = "maildir-append"
directory = "${place.directory}/mail/{account_domain}/{account_local_part}/{folder}"
`,
  );
  let copies: Copies | undefined;
  const configuration = await load(file);
  const table = { protocol: "pop3", server: server.at, transport: "proxy_copies" };
  const proxy = await startProxy(
    { ...table, default_domain: "example.com", ...more },
    (options, log) => {
      copies = new Copies(configuration, { clock: systemClock, log, hostname: "mx.example.com" });
      return copies.keeperOf(options);
    },
  );
  assert.ok(copies);
  const made = copies;
  return {
    proxy,
    copies: made,
    async login(user = "alice") {
      const client = await proxy.client();
      await client.line();
      await client.ask(`USER ${user}`);
      assert.equal(await client.ask("PASS secret"), "+OK PASS");
      return client;
    },
    files(account = "example.com/alice") {
      const maildir = join(place.directory, "mail", account, "new");
      if (!existsSync(maildir)) return [];
      return readdirSync(maildir)
        .toSorted()
        .map((name) => readFileSync(join(maildir, name), "latin1").replaceAll("\n", "\r\n"));
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await made.close();
    },
  };
}

async function retrieve(client: Lines, command: string): Promise<string> {
  const first = await client.ask(command);
  if (!first.startsWith("+OK")) return first;
  let message = "";
  for (;;) {
    const line = await client.line();
    if (line === ".") return message;
    message += `${line.startsWith(".") ? line.slice(1) : line}\r\n`;
  }
}

describe("POP3 with copies", () => {
  test("what RETR brings is on disk before its last line, once for each account", async () => {
    using place = new Place();
    await using server = await FakeServer.start(popServer());
    await using kept = await keeping(server, place);
    const client = await kept.login();
    for (const [at, message] of MESSAGES.entries()) {
      assert.equal(await retrieve(client, `RETR ${at + 1}`), message);
      // The third message has the octets of the first.
      assert.equal(kept.files().length, [1, 2, 2, 3][at]);
      assert.ok(kept.files().includes(message));
    }
    assert.equal(await client.ask("QUIT"), "+OK bye");
    const again = await kept.login("Alice@Example.com");
    await retrieve(again, "RETR 1");
    assert.equal(kept.files().length, 3);
    const other = await kept.login("bob");
    await retrieve(other, "RETR 1");
    assert.deepEqual(kept.files("example.com/bob"), [SMALL]);
    assert.equal((await kept.copies.counts()).get("alice@example.com"), 3);
  });

  test("the client gets the server's octets, also of commands sent ahead", async () => {
    using place = new Place();
    await using server = await FakeServer.start(popServer());
    await using kept = await keeping(server, place);
    const client = await kept.login();
    client.send("LIST\r\nUIDL\r\nCAPA\r\nRETR 2\r\nSTAT\r\nLIST 2\r\nQUIT\r\n");
    const list = `+OK\r\n${MESSAGES.map((one, at) => `${at + 1} ${one.length}\r\n`).join("")}.\r\n`;
    const capabilities = "+OK\r\nTOP\r\nSASL PLAIN CRAM-MD5\r\n.\r\n";
    const wanted = `${list}${list}${capabilities}+OK ${LARGE.length}\r\n${stuffed(LARGE)}+OK STAT\r\n+OK 2 ${LARGE.length}\r\n+OK bye\r\n`;
    const got = await client.rest();
    assert.equal(got.length, wanted.length);
    assert.ok(got === wanted);
  });

  test("TOP is a retrieval only if it brings the whole message", async () => {
    using place = new Place();
    await using server = await FakeServer.start(popServer());
    await using kept = await keeping(server, place);
    const client = await kept.login();
    await retrieve(client, "TOP 1 2");
    await retrieve(client, "TOP 2 20000");
    assert.deepEqual(kept.files(), []);
    await retrieve(client, "TOP 1 3");
    assert.deepEqual(kept.files(), [SMALL]);
    await retrieve(client, "TOP 4 0");
    assert.equal(kept.files().length, 2);
    await retrieve(client, "TOP 2 99999999");
    assert.equal(kept.files().length, 3);
  });

  test("a message that cannot be kept does not reach the client", async () => {
    using place = new Place();
    await using server = await FakeServer.start(popServer());
    await using kept = await keeping(server, place);
    mkdirSync(join(place.directory, "mail/example.com"), { recursive: true });
    writeFileSync(join(place.directory, "mail/example.com/alice"), "in the way");
    const client = await kept.login();
    for (const number of [1, 2]) {
      assert.match(await client.ask(`RETR ${number}`), /^-ERR \[SYS\/TEMP\]/);
    }
    assert.equal(await client.ask("STAT"), "+OK STAT");
    const failures = kept.proxy.log.named("proxy.not_kept");
    assert.equal(failures.length, 2);
    assert.match(JSON.stringify(failures), /"passed":false/);
    assert.equal((await kept.copies.counts()).size, 0);
  });

  test('with on_store_failure = "pass" it does, with an event', async () => {
    using place = new Place();
    await using server = await FakeServer.start(popServer());
    await using kept = await keeping(server, place, { on_store_failure: "pass" });
    mkdirSync(join(place.directory, "mail/example.com"), { recursive: true });
    writeFileSync(join(place.directory, "mail/example.com/alice"), "in the way");
    const client = await kept.login();
    assert.equal(await retrieve(client, "RETR 1"), SMALL);
    assert.equal(await retrieve(client, "RETR 2"), LARGE);
    assert.match(JSON.stringify(kept.proxy.log.named("proxy.not_kept")), /"passed":true/);
  });

  test("a login that is no safe directory name is refused, and makes no directory", async () => {
    using place = new Place();
    await using server = await FakeServer.start(popServer());
    await using kept = await keeping(server, place);
    for (const user of ["../../etc", "..", ".hidden", "a/b", "x@.."]) {
      const client = await kept.proxy.client();
      await client.line();
      await client.ask(`USER ${user}`);
      assert.match(await client.ask("PASS secret"), /^-ERR \[SYS\/PERM\]/, user);
    }
    assert.equal(existsSync(join(place.directory, "mail")), false);
  });

  test("mechanisms that hide the user are not offered", async () => {
    using place = new Place();
    await using server = await FakeServer.start(popServer());
    await using kept = await keeping(server, place);
    const client = await kept.proxy.client();
    await client.line();
    assert.equal(await client.ask("CAPA"), "+OK");
    const capabilities = [];
    for (let line = ""; line !== ".";) capabilities.push((line = await client.line()));
    assert.deepEqual(capabilities, ["TOP", "SASL PLAIN", "."]);
    assert.match(await client.ask("AUTH CRAM-MD5"), /^-ERR/);
  });

  test("a client or a server that breaks off leaves no file", async () => {
    using place = new Place();
    await using server = await FakeServer.start(async (peer) => {
      peer.send("+OK ready\r\n");
      for (const _ of ["USER", "PASS"]) peer.send(`+OK ${(await peer.line()).split(" ")[0]}\r\n`);
      await peer.line();
      peer.send(`+OK\r\n${LARGE}`);
      if (peer === server.sessions[0]) peer.destroy();
    });
    await using kept = await keeping(server, place);
    const first = await kept.login();
    assert.doesNotMatch(await first.ask("RETR 1").then(() => first.rest()), /^\.\r\n$/m);
    const second = await kept.login();
    await second.ask("RETR 1");
    second.destroy();
    await server.sessions[1]?.rest();
    assert.deepEqual(kept.files(), []);
    const tmp = join(place.directory, "mail/example.com/alice/tmp");
    await eventually("tmp/ is empty", () => readdirSync(tmp).length === 0);
  });

  test("a shutdown lets the message that is passing end, and takes no further command", async () => {
    using place = new Place();
    const half = Promise.withResolvers<void>();
    await using server = await FakeServer.start(async (peer) => {
      peer.send("+OK ready\r\n");
      for (const _ of ["USER", "PASS"]) peer.send(`+OK ${(await peer.line()).split(" ")[0]}\r\n`);
      await peer.line();
      peer.send(`+OK\r\n${LARGE}`);
      await half.promise;
      peer.send(".\r\n");
      await peer.line();
      throw new Error("another command came");
    });
    await using kept = await keeping(server, place);
    const client = await kept.login();
    assert.equal(await client.ask("RETR 1"), "+OK");
    const closed = kept.proxy.proxies.close(60_000);
    client.send("NOOP\r\n");
    half.resolve();
    const rest = await client.rest();
    assert.ok(rest === stuffed(LARGE).replace(/^\.\.y/gm, ".y"));
    await closed;
    assert.deepEqual(kept.files(), [LARGE.replace(/^\.y/gm, "y")]);
    assert.doesNotMatch(String(server.errors), /another command/);
  });

  test("many sessions with the same messages keep each once", async () => {
    using place = new Place();
    const messages = Array.from({ length: 8 }, () => `${randomBytes(200).toString("hex")}\r\n`);
    messages.push(LARGE);
    await using server = await FakeServer.start(popServer(messages));
    await using kept = await keeping(server, place);
    const clients = await Promise.all(Array.from({ length: 4 }, () => kept.login()));
    await Promise.all(
      clients.map(async (client) => {
        for (const [at, message] of messages.entries()) {
          assert.equal(await retrieve(client, `RETR ${at + 1}`), message);
        }
      }),
    );
    const digests = kept.files().map((one) => createHash("sha256").update(one).digest("hex"));
    assert.equal(digests.length, messages.length);
    assert.equal(new Set(digests).size, messages.length);
  });
});
