import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeServer, type Script, startProxy, TLS } from "../proxied.ts";

const BANNER = "+OK Old server ready. <1896.697170952@old.example>";

/** A server that takes the password "secret" and then sends back every line. */
const popServer: Script = async (server) => {
  server.send(`${BANNER}\r\n`);
  for (let isIn = false; ;) {
    const line = await server.line();
    const [verb = "", first] = line.split(" ");
    if (isIn) server.send(`${line}\r\n`);
    else if (verb === "CAPA") {
      server.send("+OK\r\nTOP\r\nUSER\r\nSTLS\r\nSASL PLAIN EXTERNAL\r\nUIDL\r\n.\r\n");
    } else if (verb === "STLS") {
      server.send("+OK\r\n");
      await server.acceptTls();
    } else if (verb === "AUTH" && first === undefined) {
      server.send("+OK\r\nPLAIN\r\nEXTERNAL\r\n.\r\n");
    } else if (verb === "AUTH") {
      if (line.split(" ")[2] === undefined) server.send("+ \r\n");
      const message = line.split(" ")[2] ?? (await server.line());
      isIn = Buffer.from(message, "base64").toString() === "\0alice\0secret";
      server.send(isIn ? "+OK in\r\n" : "-ERR [AUTH] no\r\n");
    } else if (verb === "PASS" || verb === "APOP") {
      isIn = line === "PASS secret" || line === "APOP alice c4c9334bac560ecc979e58001b3e22fb";
      server.send(isIn ? "+OK in\r\n" : "-ERR [AUTH] no\r\n");
    } else if (verb === "QUIT") {
      server.send("+OK bye\r\n");
      return server.end();
    } else server.send("+OK\r\n");
  }
};

describe("a TLS front of POP3", () => {
  test("passes the banner, the capabilities and every form of login", async () => {
    const forms = [
      ["USER alice", "PASS secret"],
      ["APOP alice c4c9334bac560ecc979e58001b3e22fb"],
      ["AUTH PLAIN AGFsaWNlAHNlY3JldA=="],
      ["AUTH PLAIN", "AGFsaWNlAHNlY3JldA=="],
    ];
    for (const form of forms) {
      await using server = await FakeServer.start(popServer);
      await using proxy = await startProxy({ protocol: "pop3", server: server.at });
      const client = await proxy.client();
      assert.equal(await client.line(), BANNER);
      assert.equal(await client.ask("CAPA"), "+OK");
      const capabilities = [];
      for (let line = ""; line !== ".";) capabilities.push((line = await client.line()));
      assert.deepEqual(capabilities, ["TOP", "USER", "SASL PLAIN", "UIDL", "."]);
      let answer = "";
      for (const line of form) answer = await client.ask(line);
      assert.equal(answer, "+OK in");
      assert.deepEqual(proxy.log.named("proxy.login"), [
        { proxy: "test", client: "127.0.0.1", user: "alice", server: server.at },
      ]);
      assert.equal(await client.ask("..\xff anything"), "..\xff anything");
    }
  });

  test("a refused login is the server's own answer", async () => {
    await using server = await FakeServer.start(popServer);
    await using proxy = await startProxy({ protocol: "pop3", server: server.at });
    const client = await proxy.client();
    await client.line();
    client.send("USER alice\r\nPASS wrong\r\nUSER alice\r\nPASS secret\r\nSTAT\r\n");
    const answers = [];
    for (let at = 0; at < 5; at++) answers.push(await client.line());
    assert.deepEqual(answers, ["+OK", "-ERR [AUTH] no", "+OK", "+OK in", "STAT"]);
    assert.doesNotMatch(JSON.stringify(proxy.log.events), /wrong|secret/);
  });

  test("where TLS is required, no password in clear reaches the server", async () => {
    await using server = await FakeServer.start(popServer);
    await using proxy = await startProxy({
      protocol: "pop3",
      server: server.at,
      tls: "starttls",
      server_tls: "starttls",
      server_verify: false,
      ...TLS,
    });
    const client = await proxy.client();
    await client.line();
    for (const line of ["USER alice", "PASS secret", "APOP alice x", "AUTH PLAIN AAA="]) {
      assert.match(await client.ask(line), /^-ERR \[AUTH\]/);
    }
    await client.ask("CAPA");
    const capabilities = [];
    for (let line = ""; line !== ".";) capabilities.push((line = await client.line()));
    assert.deepEqual(capabilities, ["TOP", "UIDL", "STLS", "."]);
    client.send("STLS\r\nUSER mallory\r\nPASS x\r\n");
    assert.match(await client.line(), /^\+OK/);
    await client.startTls();
    assert.match(await client.ask("STLS"), /^-ERR/);
    await client.ask("USER alice");
    assert.equal(await client.ask("PASS secret"), "+OK in");
    assert.doesNotMatch(server.received, /mallory/);
  });

  test("without a server the greeting says so, in the server's words if it has any", async () => {
    await using gone = await FakeServer.start(popServer);
    const { at } = gone;
    await gone[Symbol.asyncDispose]();
    await using none = await startProxy({ protocol: "pop3", server: at });
    assert.match(await (await none.client()).line(), /^-ERR \[SYS\/TEMP\]/);
    await using full = await FakeServer.start(async (peer) => {
      peer.send("-ERR [SYS/TEMP] Full up\r\n");
      peer.end();
    });
    await using refused = await startProxy({ protocol: "pop3", server: full.at });
    assert.equal(await (await refused.client()).line(), "-ERR [SYS/TEMP] Full up");
  });
});
