import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, Socket } from "node:net";
import { createSecureContext } from "node:tls";
import { describe, test } from "node:test";
import { LineTooLong, Peer, PeerGone } from "../../../../src/parts/proxies/wire/peer.ts";
import { testCertificate } from "../../../support/certificates.ts";
import { Lines } from "../proxied.ts";

const TLS = { secureContext: createSecureContext(testCertificate()), requestCert: false };

interface Pair extends AsyncDisposable {
  readonly client: Lines;
  readonly socket: Socket;
}

async function pair(): Promise<Pair> {
  const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const accepted = once(server, "connection");
  const client = await Lines.open(address.port);
  const [socket]: unknown[] = await accepted;
  assert.ok(socket instanceof Socket);
  return {
    client,
    socket,
    async [Symbol.asyncDispose]() {
      client.destroy();
      socket.destroy();
      server.close();
    },
  };
}

async function arrived(socket: Socket): Promise<void> {
  while (socket.readableLength === 0) await new Promise((resolve) => setImmediate(resolve));
}

describe("a side of a session", () => {
  test("shakes hands with a client whose first message has come already", async () => {
    await using both = await pair();
    const peer = new Peer(both.socket);
    const shaken = both.client.startTls();
    await arrived(both.socket);
    await Promise.all([peer.acceptTls(TLS), shaken]);
    both.client.send("in TLS\r\n");
    assert.equal((await peer.line(100)).toString(), "in TLS\r\n");
  });

  test("forgets text that came in clear, also when it was read with the line before", async () => {
    await using both = await pair();
    const peer = new Peer(both.socket);
    both.client.send("STARTTLS\r\nLOGIN\r\n");
    assert.equal((await peer.line(100)).toString(), "STARTTLS\r\n");
    peer.forget();
    const shaken = both.client.startTls();
    await Promise.all([peer.acceptTls(TLS), shaken]);
    both.client.send("NOOP\r\n");
    assert.equal((await peer.line(100)).toString(), "NOOP\r\n");
  });

  test("text in clear where the handshake should be fails it", async () => {
    await using both = await pair();
    const peer = new Peer(both.socket);
    both.client.send("a LOGIN alice secret\r\n");
    await assert.rejects(peer.acceptTls(TLS));
  });

  test("a client that goes during the handshake ends it", async () => {
    await using both = await pair();
    const peer = new Peer(both.socket);
    const shaken = peer.acceptTls(TLS);
    both.client.destroy();
    await assert.rejects(shaken);
  });

  test("lines are bounded, and end with the connection", async () => {
    await using both = await pair();
    const peer = new Peer(both.socket);
    both.client.send("ab\r\n".repeat(3));
    assert.equal((await peer.line(4)).toString(), "ab\r\n");
    both.client.send("abcd\r\nx");
    await peer.line(4);
    await peer.line(4);
    await assert.rejects(peer.line(4), LineTooLong);
    both.client.end();
    assert.equal((await peer.line(10)).toString(), "abcd\r\n");
    await assert.rejects(peer.line(10), PeerGone);
  });
});
