import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeServer, type Lines, type Script, startProxy, TLS } from "../proxied.ts";

const GREETING =
  "* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ STARTTLS ID AUTH=PLAIN AUTH=EXTERNAL AUTH=SCRAM-SHA-256-PLUS] Old server ready.";

/** A server that takes the password "secret" and then sends back every line. */
const imapServer: Script = async (server) => {
  server.send(`${GREETING}\r\n`);
  await speak(server);
};

async function speak(server: Lines): Promise<void> {
  for (;;) {
    const line = await server.line();
    const [tag = "", name = ""] = line.split(" ");
    switch (name.toUpperCase()) {
      case "CAPABILITY":
        server.send(`* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\n${tag} OK Done.\r\n`);
        break;
      case "STARTTLS":
        server.send(`${tag} OK Begin.\r\n`);
        await server.acceptTls();
        break;
      case "LOGIN":
        if (await login(server, line)) {
          server.send(`${tag} OK [CAPABILITY IMAP4rev1 STARTTLS IDLE] Logged in\r\n`);
          return echo(server);
        }
        server.send(`${tag} NO [AUTHENTICATIONFAILED] Wrong\r\n`);
        break;
      case "AUTHENTICATE": {
        const initial = line.split(" ")[3];
        if (initial === undefined) server.send("+ \r\n");
        const message = initial ?? (await server.line());
        if (Buffer.from(message, "base64").toString() === "\0alice\0secret") {
          server.send(`${tag} OK Logged in\r\n`);
          return echo(server);
        }
        server.send(`${tag} NO Wrong\r\n`);
        break;
      }
      case "LOGOUT":
        server.send(`* BYE Bye\r\n${tag} OK Done.\r\n`);
        return server.end();
      default:
        server.send(`${tag} BAD What?\r\n`);
    }
  }
}

async function login(server: Lines, first: string): Promise<boolean> {
  let command = first;
  for (;;) {
    const [, size, plus] = /\{(\d+)(\+?)\}$/.exec(command) ?? [];
    if (size === undefined) break;
    if (plus === "") server.send("+ go on\r\n");
    const octets = await server.octets(Number(size));
    command = `${command.replace(/\{\d+\+?\}$/, "")}"${octets.toString("latin1")}"${await server.line()}`;
  }
  return /LOGIN "?alice"? "?secret"?$/i.test(command);
}

async function echo(server: Lines): Promise<void> {
  for (;;) server.send(`${await server.line()}\r\n`);
}

describe("a TLS front of IMAP", () => {
  test("shows the server's capabilities without those that end at the proxy", async () => {
    await using server = await FakeServer.start(imapServer);
    await using proxy = await startProxy({ protocol: "imap", server: server.at });
    const client = await proxy.client();
    const shown = "IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN";
    assert.equal(await client.line(), `* OK [CAPABILITY ${shown}] Old server ready.`);
    assert.equal(await client.ask("a CAPABILITY"), "* CAPABILITY IMAP4rev1 AUTH=PLAIN");
    assert.equal(await client.line(), "a OK Done.");
    assert.match(await client.ask("b STARTTLS"), /^b BAD /);
    assert.doesNotMatch(server.received, /STARTTLS/);
  });

  test("passes every form of login, and every octet after it", async () => {
    const forms = [
      ["a LOGIN alice secret\r\n"],
      ['a login "alice" "secret"\r\n'],
      ["a LOGIN {5+}\r\nalice {6+}\r\nsecret\r\n"],
      ["a LOGIN {5}\r\n", "alice {6}\r\n", "secret\r\n"],
      ["a AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\r\n"],
      ["a AUTHENTICATE PLAIN\r\n", "AGFsaWNlAHNlY3JldA==\r\n"],
    ];
    for (const pieces of forms) {
      await using server = await FakeServer.start(imapServer);
      await using proxy = await startProxy({ protocol: "imap", server: server.at });
      const client = await proxy.client();
      await client.line();
      for (const [at, piece] of pieces.entries()) {
        client.send(piece);
        const answer = await client.line();
        if (at < pieces.length - 1) assert.match(answer, /^\+ /);
        else assert.match(answer, /^a OK (?:\[CAPABILITY IMAP4rev1 STARTTLS IDLE\] )?Logged in$/);
      }
      assert.deepEqual(proxy.log.named("proxy.login"), [
        { proxy: "test", client: "127.0.0.1", user: "alice", server: server.at },
      ]);
      const octets = Buffer.from(Array.from({ length: 256 }, (_, at) => at)).toString("latin1");
      client.send(`b STARTTLS ${octets.replaceAll("\n", "")}\r\n`);
      assert.equal(`${await client.line()}\r\n`, `b STARTTLS ${octets.replaceAll("\n", "")}\r\n`);
    }
  });

  test("a refused login is answered by the server, and may be tried again", async () => {
    await using server = await FakeServer.start(imapServer);
    await using proxy = await startProxy({ protocol: "imap", server: server.at });
    const client = await proxy.client();
    await client.line();
    assert.equal(await client.ask("a LOGIN alice wrong"), "a NO [AUTHENTICATIONFAILED] Wrong");
    assert.match(await client.ask("b LOGIN alice secret"), /^b OK/);
    assert.equal(proxy.log.named("proxy.login_failed").length, 1);
    assert.doesNotMatch(JSON.stringify(proxy.log.events), /wrong|secret/);
  });

  test("commands sent ahead of the answers pass in their order", async () => {
    await using server = await FakeServer.start(imapServer);
    await using proxy = await startProxy({ protocol: "imap", server: server.at });
    const client = await proxy.client();
    await client.line();
    client.send("a CAPABILITY\r\nb LOGIN alice secret\r\nc NOOP\r\nd NOOP\r\n");
    const lines = [];
    for (let at = 0; at < 5; at++) lines.push((await client.line()).slice(0, 6));
    assert.deepEqual(lines, ["* CAPA", "a OK D", "b OK [", "c NOOP", "d NOOP"]);
  });

  test("where TLS is required, no password in clear reaches the server", async () => {
    await using server = await FakeServer.start(imapServer);
    await using proxy = await startProxy({
      protocol: "imap",
      server: server.at,
      tls: "starttls",
      ...TLS,
    });
    const client = await proxy.client();
    const shown = "IMAP4rev1 SASL-IR LITERAL+ ID STARTTLS LOGINDISABLED";
    assert.equal(await client.line(), `* OK [CAPABILITY ${shown}] Old server ready.`);
    assert.match(await client.ask("a LOGIN alice secret"), /^a NO \[PRIVACYREQUIRED\]/);
    client.send("b LOGIN {5+}\r\nalice {6+}\r\nsecret\r\nc LOGIN {5}\r\n");
    assert.match(await client.line(), /^b NO \[PRIVACYREQUIRED\]/);
    assert.match(await client.line(), /^c NO \[PRIVACYREQUIRED\]/);
    const sasl = "AGFsaWNlAHNlY3JldA==";
    assert.match(await client.ask(`d AUTHENTICATE PLAIN ${sasl}`), /^d NO \[PRIVACYREQUIRED\]/);
    assert.equal(server.received, "");
    // Commands behind STARTTLS in the same segment are forgotten.
    client.send("e STARTTLS\r\nf LOGIN alice secret\r\n");
    assert.match(await client.line(), /^e OK/);
    await client.startTls();
    assert.equal(await client.ask("g CAPABILITY"), "* CAPABILITY IMAP4rev1 AUTH=PLAIN");
    assert.equal(await client.line(), "g OK Done.");
    assert.match(await client.ask("h STARTTLS"), /^h BAD/);
    assert.match(await client.ask("i LOGIN alice secret"), /^i OK/);
    assert.equal(server.received, "g CAPABILITY\r\ni LOGIN alice secret\r\n");
  });

  test("implicit TLS in front, STARTTLS behind", async () => {
    await using server = await FakeServer.start(imapServer);
    const table = { protocol: "imap", server: server.at, tls: "implicit", ...TLS };
    await using proxy = await startProxy({
      ...table,
      server_tls: "starttls",
      server_verify: false,
    });
    const client = await proxy.client();
    await client.startTls();
    assert.equal(await client.line(), "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] Old server ready.");
    assert.match(await client.ask("a LOGIN alice secret"), /^a OK/);
    assert.match(JSON.stringify(proxy.log.named("proxy.login")), /"tls":"TLSv1\.3 TLS_/);
  });

  test("a certificate that is not valid for the server ends the attempt", async () => {
    await using server = await FakeServer.start(imapServer);
    const table = { protocol: "imap", server: server.at, server_tls: "starttls" };
    await using proxy = await startProxy(table);
    const client = await proxy.client();
    assert.match(await client.line(), /^\* OK/);
    assert.match(await client.ask("a LOGIN alice secret"), /^a NO \[UNAVAILABLE\]/);
    assert.doesNotMatch(server.received, /secret/);
  });

  test("text that a server sends in clear after its OK to STARTTLS ends the attempt", async () => {
    await using server = await FakeServer.start(async (peer) => {
      peer.send("* OK ready\r\n");
      const [tag] = (await peer.line()).split(" ");
      peer.send(`${tag} OK Begin.\r\n* CAPABILITY IMAP4rev1 EVIL\r\n`);
      await peer.acceptTls();
    });
    await using proxy = await startProxy({
      protocol: "imap",
      server: server.at,
      server_tls: "starttls",
      server_verify: false,
    });
    const client = await proxy.client();
    assert.doesNotMatch(await client.line(), /EVIL/);
    assert.match(await client.ask("a LOGIN alice secret"), /^a NO \[UNAVAILABLE\]/);
  });

  test("a server that wants no login, or refuses in its greeting, is not used", async () => {
    for (const [greeting, wanted] of [
      ["* PREAUTH Welcome", /^\* OK \[CAPABILITY IMAP4rev1 /],
      ["* BYE Too busy", /^\* BYE Too busy$/],
    ] as const) {
      await using server = await FakeServer.start(async (peer) => {
        peer.send(`${greeting}\r\n`);
        peer.end();
      });
      await using proxy = await startProxy({ protocol: "imap", server: server.at });
      assert.match(await (await proxy.client()).line(), wanted);
      await using other = await FakeServer.start(imapServer);
      const servers = [server.at, other.at];
      await using both = await startProxy({ protocol: "imap", server: servers });
      assert.match(await (await both.client()).line(), /Old server ready/);
    }
  });

  test("the servers are tried in order; with none, a login is answered with UNAVAILABLE", async () => {
    await using closed = await FakeServer.start(imapServer);
    const { at } = closed;
    await closed[Symbol.asyncDispose]();
    await using server = await FakeServer.start(imapServer);
    await using both = await startProxy({ protocol: "imap", server: [at, server.at] });
    assert.match(await (await both.client()).line(), /Old server ready/);
    await using none = await startProxy({ protocol: "imap", server: [at] });
    const client = await none.client();
    assert.match(await client.line(), /^\* OK \[CAPABILITY IMAP4rev1 /);
    assert.match(await client.ask("a LOGIN alice secret"), /^a NO \[UNAVAILABLE\]/);
    assert.match(await client.ask("b LOGOUT"), /^\* BYE/);
  });

  test("a server that dies before the login ends the session", async () => {
    await using server = await FakeServer.start(async (peer) => {
      peer.send("* OK ready\r\n");
      await peer.line();
      peer.send("* BYE going down\r\n");
      peer.destroy();
    });
    await using proxy = await startProxy({ protocol: "imap", server: server.at });
    const client = await proxy.client();
    await client.line();
    client.send("a NOOP\r\n");
    await client.rest();
  });

  test("announces the configured capabilities", async () => {
    await using server = await FakeServer.start(imapServer);
    const capabilities = ["IMAP4rev1", "UIDPLUS", "IDLE"];
    await using proxy = await startProxy({ protocol: "imap", server: server.at, capabilities });
    const client = await proxy.client();
    assert.match(await client.line(), /\[CAPABILITY IMAP4rev1 UIDPLUS IDLE\]/);
    assert.equal(await client.ask("a CAPABILITY"), "* CAPABILITY IMAP4rev1 UIDPLUS IDLE");
  });

  test("a line or a literal without end ends the session", async () => {
    await using server = await FakeServer.start(imapServer);
    await using proxy = await startProxy({ protocol: "imap", server: server.at });
    for (const flood of ["x".repeat(40_000), "a LOGIN {9999999+}\r\n"]) {
      const client = await proxy.client();
      await client.line();
      client.send(flood);
      await client.rest();
    }
  });

  test("a client above connections_max is told so", async () => {
    await using server = await FakeServer.start(imapServer);
    const table = { protocol: "imap", server: server.at, connections_max: 1 };
    await using proxy = await startProxy(table);
    const first = await proxy.client();
    await first.line();
    const second = await proxy.client();
    assert.match(await second.line(), /^\* BYE \[UNAVAILABLE\]/);
    first.destroy();
  });
});
