import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { FakeServer, type Lines, startProxy, TLS } from "../proxied.ts";

/** A POP3 server that takes any login and then does as `after` says. */
const serving = (after: (server: Lines) => Promise<void> | void) => async (server: Lines) => {
  server.send("+OK ready\r\n");
  await server.line();
  server.send("+OK\r\n");
  await server.line();
  server.send("+OK\r\n");
  await after(server);
};

async function loggedIn(client: Lines): Promise<Lines> {
  await client.line();
  await client.ask("USER alice");
  await client.ask("PASS secret");
  return client;
}

const TABLE = { protocol: "pop3" } as const;

describe("client and server, once they are joined", () => {
  test("pass octets unchanged in both directions, in clear and under TLS", async () => {
    const octets = randomBytes(3_000_000);
    for (const tls of ["none", "implicit"]) {
      await using server = await FakeServer.start(
        serving(async (peer) => {
          peer.send(await peer.octets(octets.length));
        }),
      );
      await using proxy = await startProxy({ ...TABLE, server: server.at, tls, ...TLS });
      const client = await proxy.client();
      if (tls === "implicit") await client.startTls();
      await loggedIn(client);
      client.send(octets);
      assert.ok((await client.octets(octets.length)).equals(octets));
    }
  });

  test("the end of one side is passed on, and the other side goes on", async () => {
    await using server = await FakeServer.start(
      serving(async (peer) => {
        assert.equal(await peer.rest(), "QUIT\r\n");
        peer.send("+OK bye\r\n");
        peer.end();
      }),
    );
    await using proxy = await startProxy({ ...TABLE, server: server.at });
    const client = await loggedIn(await proxy.client());
    client.send("QUIT\r\n");
    client.end();
    assert.equal(await client.rest(), "+OK bye\r\n");
    assert.deepEqual(server.errors, []);
  });

  test("a client that ends with its commands sent ahead gets all answers", async () => {
    await using server = await FakeServer.start(
      serving(async (peer) => {
        assert.equal(await peer.rest(), "STAT\r\n");
        peer.send("+OK 0 0\r\n");
        peer.end();
      }),
    );
    await using proxy = await startProxy({ ...TABLE, server: server.at });
    const client = await proxy.client();
    client.send("USER alice\r\nPASS secret\r\nSTAT\r\n");
    client.end();
    assert.equal(await client.rest(), "+OK ready\r\n+OK\r\n+OK\r\n+OK 0 0\r\n");
  });

  test("a side that does not read stops the other", async () => {
    let sent = 0;
    const stopped = Promise.withResolvers<void>();
    const piece = Buffer.alloc(1_000_000, "x");
    await using server = await FakeServer.start(
      serving(async (peer) => {
        await peer.line();
        while (sent < 100_000_000 && (await peer.drained(piece))) sent += piece.length;
        stopped.resolve();
      }),
    );
    await using proxy = await startProxy({ ...TABLE, server: server.at });
    const client = await loggedIn(await proxy.client());
    client.pause();
    client.send("RETR 1\r\n");
    await stopped.promise;
    assert.ok(sent < 50_000_000, `the server could send ${sent} octets`);
  });

  test("a side that breaks off takes the other with it", async () => {
    await using server = await FakeServer.start(serving(() => undefined));
    await using proxy = await startProxy({ ...TABLE, server: server.at });
    const first = await loggedIn(await proxy.client());
    server.sessions[0]?.destroy();
    await first.rest();
    const second = await loggedIn(await proxy.client());
    second.destroy();
    await server.sessions[1]?.rest();
  });
});
