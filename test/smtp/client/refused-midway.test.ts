// A host that refuses a message in its middle and closes: what it said is its answer, although our next write fails
// before it could be read.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { statusLine } from "../../../src/mail/status.ts";
import { testCertificate } from "../../support/certificates.ts";
import { message, never, open } from "./conversation.ts";

/** Runs in a thread of its own, so that it can say its word and go while this one does not look. */
const PEER = `
const { createServer } = require("node:net");
const { TLSSocket } = require("node:tls");
const { workerData: { gone, certificate, refusal }, parentPort } = require("node:worker_threads");
const server = createServer((raw) => {
  const listen = (socket, talk) => {
    let text = "";
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => { text += chunk.toString("latin1"); text = talk(text) ?? text; });
  };
  const leave = (socket) => {
    raw.pause();
    socket.write(refusal, () => raw.resetAndDestroy());
  };
  raw.once("close", () => { Atomics.store(gone, 0, 1); Atomics.notify(gone, 0); });
  const mail = (socket) => (text) => {
    if (text.startsWith("EHLO") && text.endsWith("\\r\\n")) {
      socket.write("250-peer\\r\\n" + (socket === raw && certificate ? "250-STARTTLS\\r\\n" : "") + "250 PIPELINING\\r\\n");
      return "";
    }
    if (text.startsWith("STARTTLS")) {
      raw.removeAllListeners("data");
      raw.write("220 go\\r\\n");
      const secured = new TLSSocket(raw, { isServer: true, ...certificate });
      listen(secured, mail(secured));
      return "";
    }
    if (text.endsWith("DATA\\r\\n")) {
      socket.write("250 a\\r\\n250 b\\r\\n354 go\\r\\n");
      return "";
    }
    if (text.includes("begin")) leave(socket);
  };
  listen(raw, mail(raw));
  raw.write("220 peer\\r\\n");
});
server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
`;

for (const [what, refusal, expected] of [
  ["refuses it for good", "552 5.3.4 too big\r\n", "552 5.3.4 too big"],
  ["refuses it for now", "452-4.3.1 no\r\n452 4.3.1 room\r\n", "452 4.3.1 no room"],
] as const) {
  for (const secured of [false, true]) {
    test(`a host that ${what} in its middle and closes, ${secured ? "under TLS" : "in the clear"}`, async (t) => {
      const gone = new Int32Array(new SharedArrayBuffer(4));
      const certificate = secured ? testCertificate() : undefined;
      const workerData = { gone, certificate, refusal };
      const worker = new Worker(PEER, { eval: true, workerData });
      t.after(() => worker.terminate());
      const port = await new Promise<number>((resolve) => worker.once("message", resolve));
      const conversation = await open(port, { tls: secured ? "required" : "none" });
      const body = {
        size: 1 << 20,
        async *chunks() {
          yield Buffer.from("begin\r\n");
          // The event loop reads nothing until the peer has gone.
          assert.notEqual(Atomics.wait(gone, 0, 0, 10_000), "timed-out");
          for (let piece = 0; piece < 16; piece++) yield Buffer.alloc(65_536, "x");
        },
      };
      const result = await conversation.transact({ ...message(""), body }, never());
      assert.equal(result.message && statusLine(result.message), expected);
      await conversation.close();
    });
  }
}
