import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { describe, test } from "node:test";
import { FakeServer, type Script, startProxy } from "./proxied.ts";

interface Hook extends AsyncDisposable {
  readonly url: string;
  readonly asked: IncomingHttpHeaders[];
}

/** A hook that gives these answers in turn, the last one for ever. */
async function startHook(...answers: readonly Record<string, string>[]): Promise<Hook> {
  const asked: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)];
    asked.push(request.headers);
    response.writeHead(200, answer).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  return {
    url: `http://127.0.0.1:${port}/auth`,
    asked,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const ok = (port: number, more: Record<string, string> = {}) => ({
  "Auth-Status": "OK",
  "Auth-Server": "127.0.0.1",
  "Auth-Port": String(port),
  ...more,
});

/** Answers with everything that a login has sent. */
const imapServer: Script = async (server) => {
  server.send("* OK [CAPABILITY IMAP4rev1] ready\r\n");
  const first = await server.line();
  server.send("+ go on\r\n");
  const second = await server.line();
  server.send("+ go on\r\n");
  const third = await server.line();
  const [tag] = first.split(" ");
  const isRight = second.startsWith("alice") && third === "s e%c";
  server.send(isRight ? `${tag} OK [CAPABILITY IMAP4rev1 IDLE] in\r\n` : `${tag} NO wrong\r\n`);
  for (;;) server.send(`${await server.line()}\r\n`);
};

describe("auth_http", () => {
  test("names the server of an IMAP login, which gets the login as it came", async () => {
    await using server = await FakeServer.start(imapServer);
    await using hook = await startHook(ok(server.port));
    await using proxy = await startProxy({ protocol: "imap", auth_http: hook.url });
    for (const login of ['LOGIN alice "s e%c"', "AUTHENTICATE PLAIN AGFsaWNlAHMgZSVj"]) {
      const client = await proxy.client();
      assert.match(await client.line(), /^\* OK \[CAPABILITY IMAP4rev1 .*AUTH=PLAIN\] ready$/);
      assert.equal(await client.ask(`x1 ${login}`), "x1 OK [CAPABILITY IMAP4rev1 IDLE] in");
      assert.equal(await client.ask("x2 NOOP"), "x2 NOOP");
    }
    const [{ host: _, connection: __, ...headers } = {}] = hook.asked;
    assert.deepEqual(headers, {
      "auth-method": "plain",
      "auth-user": "alice",
      "auth-pass": "s%20e%25c",
      "auth-protocol": "imap",
      "auth-login-attempt": "1",
      "client-ip": "127.0.0.1",
    });
  });

  test("may replace user and password", async () => {
    await using server = await FakeServer.start(imapServer);
    await using hook = await startHook(
      ok(server.port, { "Auth-User": "alice@old", "Auth-Pass": "s e%c" }),
    );
    await using proxy = await startProxy({ protocol: "imap", auth_http: hook.url });
    const client = await proxy.client();
    await client.line();
    assert.match(await client.ask("x LOGIN bob other"), /^x OK/);
  });

  test("a refusal has the hook's words; Auth-Wait lets the client try again", async () => {
    await using server = await FakeServer.start(imapServer);
    const no = { "Auth-Status": "Invalid login or password" };
    await using hook = await startHook({ ...no, "Auth-Wait": "1" }, ok(server.port), no);
    await using proxy = await startProxy({ protocol: "imap", auth_http: hook.url });
    const client = await proxy.client();
    await client.line();
    assert.equal(await client.ask("a LOGIN alice x"), "a NO Invalid login or password");
    assert.match(await client.ask('b LOGIN alice "s e%c"'), /^b OK/);
    assert.equal(hook.asked[1]?.["auth-login-attempt"], "2");
    const other = await proxy.client();
    await other.line();
    assert.equal(await other.ask("a LOGIN alice x"), "a NO Invalid login or password");
    assert.equal(await other.rest(), "");
  });

  test("POP3: the hook's words, and the server's answer to the password", async () => {
    await using server = await FakeServer.start(async (peer) => {
      peer.send("+OK ready\r\n");
      assert.equal(await peer.line(), "USER alice");
      peer.send("+OK\r\n");
      const answer = await peer.line();
      peer.send(answer === "PASS s e%c" ? "+OK 3 messages\r\n" : "-ERR no\r\n");
      for (;;) peer.send(`${await peer.line()}\r\n`);
    });
    await using hook = await startHook(
      { "Auth-Status": "Go away", "Auth-Wait": "1" },
      ok(server.port),
    );
    await using proxy = await startProxy({ protocol: "pop3", auth_http: hook.url });
    const client = await proxy.client();
    assert.match(await client.line(), /^\+OK/);
    assert.equal(await client.ask("USER alice"), "+OK");
    assert.equal(await client.ask("PASS no"), "-ERR Go away");
    assert.equal(await client.ask("USER alice"), "+OK");
    assert.equal(await client.ask("PASS s e%c"), "+OK 3 messages");
    assert.equal(await client.ask("STAT"), "STAT");
  });

  test("SMTP: Auth-Error-Code, and the login at a server that offers one", async () => {
    await using server = await FakeServer.start(async (peer) => {
      peer.send("220 ready\r\n");
      assert.equal(await peer.line(), "EHLO me");
      peer.send("250-x\r\n250 AUTH LOGIN PLAIN\r\n");
      assert.equal(await peer.line(), "AUTH PLAIN AGFsaWNlAHMgZSVj");
      peer.send("235 2.7.0 Welcome\r\n");
      for (;;) peer.send(`250 ${await peer.line()}\r\n`);
    });
    const no = { "Auth-Status": "Locked", "Auth-Error-Code": "454 4.7.0", "Auth-Wait": "1" };
    await using hook = await startHook(no, ok(server.port));
    await using proxy = await startProxy({ protocol: "smtp", auth_http: hook.url });
    const client = await proxy.client();
    assert.match(await client.line(), /^220 mx\.example\.com /);
    client.send("EHLO me\r\n");
    const extensions = [];
    for (let line = "250-"; line[3] === "-";) extensions.push((line = await client.line()));
    assert.equal(extensions.at(-1), "250 AUTH PLAIN LOGIN");
    assert.match(await client.ask("MAIL FROM:<a@b>"), /^530 5\.7\.0/);
    assert.equal(await client.ask("AUTH PLAIN AAAA"), "501 5.5.2 The login is invalid");
    assert.equal(await client.ask("AUTH PLAIN AGFsaWNlAHg="), "454 4.7.0 Locked");
    assert.equal(await client.ask("AUTH LOGIN"), "334 VXNlcm5hbWU6");
    assert.equal(await client.ask("YWxpY2U="), "334 UGFzc3dvcmQ6");
    assert.equal(await client.ask("cyBlJWM="), "235 2.7.0 Welcome");
    assert.equal(await client.ask("MAIL FROM:<a@b>"), "250 MAIL FROM:<a@b>");
    assert.equal(hook.asked[0]?.["auth-smtp-helo"], "me");
  });

  test("a hook or a server that cannot be reached is a temporary answer", async () => {
    const table = { auth_http: "http://127.0.0.1:1/" };
    await using imap = await startProxy({ protocol: "imap", ...table });
    const client = await imap.client();
    await client.line();
    assert.match(await client.ask("a LOGIN alice x"), /^a NO \[UNAVAILABLE\]/);
    await using hook = await startHook(ok(1));
    await using pop3 = await startProxy({ protocol: "pop3", auth_http: hook.url });
    const other = await pop3.client();
    await other.line();
    await other.ask("USER alice");
    assert.match(await other.ask("PASS x"), /^-ERR \[SYS\/TEMP\]/);
    assert.doesNotMatch(JSON.stringify([imap.log.events, pop3.log.events]), /"x"/);
  });

  test("a name or password with a line end reaches no server", async () => {
    await using server = await FakeServer.start(imapServer);
    await using hook = await startHook(ok(server.port));
    await using proxy = await startProxy({ protocol: "imap", auth_http: hook.url });
    const client = await proxy.client();
    await client.line();
    client.send("a LOGIN {8+}\r\na\r\nb NOP {1+}\r\nx\r\n");
    assert.match(await client.line(), /^a BAD/);
    assert.equal(hook.asked[0]?.["auth-user"], "a%0D%0Ab%20NOP");
    assert.equal(server.received, "");
  });
});
