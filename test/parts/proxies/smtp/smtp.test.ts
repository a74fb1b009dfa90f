import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeServer, type Lines, type Script, startProxy, TLS } from "../proxied.ts";

const smtpServer: Script = async (server) => {
  server.send("220-provider.example\r\n220 ESMTP\r\n");
  for (let isIn = false; ;) {
    const line = await server.line();
    const [verb = ""] = line.split(" ");
    if (isIn) server.send(`299 ${line}\r\n`);
    else if (verb === "EHLO") {
      server.send("250-provider.example hello\r\n250-SIZE 1000\r\n250-STARTTLS\r\n");
      server.send("250-AUTH PLAIN LOGIN EXTERNAL\r\n250 HELP\r\n");
    } else if (verb === "STARTTLS") {
      server.send("220 go\r\n");
      await server.acceptTls();
    } else if (verb === "AUTH") {
      if (line.endsWith("LOGIN")) {
        server.send("334 VXNlcm5hbWU6\r\n");
        await server.line();
        server.send("334 UGFzc3dvcmQ6\r\n");
        isIn = (await server.line()) === "c2VjcmV0";
      } else isIn = line === "AUTH PLAIN AGFsaWNlAHNlY3JldA==";
      server.send(isIn ? "235 2.7.0 in\r\n" : "535-5.7.8 no\r\n535 5.7.8 really\r\n");
    } else if (verb === "QUIT") {
      server.send("221 bye\r\n");
      return server.end();
    } else if (verb === "MAIL") {
      isIn = true;
      server.send("250 2.1.0 Go on\r\n");
    } else server.send("250 OK\r\n");
  }
};

async function replyOf(client: Lines): Promise<string[]> {
  const lines = [await client.line()];
  while (lines.at(-1)?.[3] === "-") lines.push(await client.line());
  return lines;
}

function ask(client: Lines, line: string): Promise<string[]> {
  client.send(`${line}\r\n`);
  return replyOf(client);
}

describe("a TLS front of SMTP", () => {
  test("passes greeting, extensions, logins and everything after them", async () => {
    for (const form of [
      ["AUTH PLAIN AGFsaWNlAHNlY3JldA=="],
      ["AUTH LOGIN", "YWxpY2U=", "c2VjcmV0"],
    ]) {
      await using server = await FakeServer.start(smtpServer);
      await using proxy = await startProxy({ protocol: "smtp", server: server.at });
      const client = await proxy.client();
      assert.deepEqual(await replyOf(client), ["220-provider.example", "220 ESMTP"]);
      assert.deepEqual(await ask(client, "EHLO me"), [
        "250-provider.example hello",
        "250-SIZE 1000",
        "250-AUTH PLAIN LOGIN",
        "250 HELP",
      ]);
      const refusal = ["535-5.7.8 no", "535 5.7.8 really"];
      assert.deepEqual(await ask(client, "AUTH PLAIN AAA="), refusal);
      let reply: string[] = [];
      for (const line of form) reply = await ask(client, line);
      assert.deepEqual(reply, ["235 2.7.0 in"]);
      assert.deepEqual(await ask(client, "MAIL FROM:<a@b>"), ["299 MAIL FROM:<a@b>"]);
      assert.match(JSON.stringify(proxy.log.named("proxy.login")), /"user":"alice"/);
    }
  });

  test("where TLS is required, neither a login nor mail in clear reaches the server", async () => {
    await using server = await FakeServer.start(smtpServer);
    const table = { protocol: "smtp", server: server.at, tls: "starttls", ...TLS };
    await using proxy = await startProxy({
      ...table,
      server_tls: "starttls",
      server_verify: false,
    });
    const client = await proxy.client();
    await replyOf(client);
    const extensions = await ask(client, "EHLO me");
    assert.deepEqual(extensions.slice(1), ["250-SIZE 1000", "250-HELP", "250 STARTTLS"]);
    for (const line of ["AUTH PLAIN AGFsaWNlAHNlY3JldA==", "MAIL FROM:<a@b>", "VRFY a", "DATA"]) {
      assert.match((await ask(client, line))[0] ?? "", /^530 5\.7\.0/);
    }
    assert.match((await ask(client, "STARTTLS now"))[0] ?? "", /^501/);
    client.send("STARTTLS\r\nMAIL FROM:<evil@x>\r\n");
    assert.match(await client.line(), /^220/);
    await client.startTls();
    assert.match((await ask(client, "STARTTLS"))[0] ?? "", /^502/);
    assert.match((await ask(client, "EHLO me")).join(), /AUTH PLAIN LOGIN/);
    assert.deepEqual(await ask(client, "AUTH PLAIN AGFsaWNlAHNlY3JldA=="), ["235 2.7.0 in"]);
    assert.doesNotMatch(server.received, /evil/);
  });

  test("mail without a login is the server's to judge", async () => {
    await using server = await FakeServer.start(smtpServer);
    await using proxy = await startProxy({ protocol: "smtp", server: server.at });
    const client = await proxy.client();
    await replyOf(client);
    await ask(client, "EHLO me");
    assert.deepEqual(await ask(client, "MAIL FROM:<a@b>"), ["250 2.1.0 Go on"]);
    assert.deepEqual(await ask(client, "RCPT TO:<c@d>"), ["299 RCPT TO:<c@d>"]);
  });

  test("without a server the greeting says so, in the server's words if it has any", async () => {
    await using gone = await FakeServer.start(smtpServer);
    const { at } = gone;
    await gone[Symbol.asyncDispose]();
    await using none = await startProxy({ protocol: "smtp", server: at });
    assert.match(await (await none.client()).line(), /^421 4\.4\.1 mx\.example\.com /);
    await using full = await FakeServer.start(async (peer) => {
      peer.send("554-5.7.1 Not you\r\n554 5.7.1 Never\r\n");
      peer.end();
    });
    await using refused = await startProxy({ protocol: "smtp", server: full.at });
    const client = await refused.client();
    assert.deepEqual(await replyOf(client), ["554-5.7.1 Not you", "554 5.7.1 Never"]);
  });
});
