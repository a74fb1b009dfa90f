import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import fs, { readFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { connect, createSecureContext } from "node:tls";
import { FileTurns } from "../../../src/base/file-turns.ts";
import { type CertificateCalls, Certificates } from "../../../src/base/net/certificates.ts";
import { SmtpServer } from "../../../src/smtp/server/server.ts";
import { OTHER, OURS } from "../../support/certificates.ts";
import { manualClock } from "../../support/clock.ts";
import { serverOptions } from "../../support/server-options.ts";
import { recordingLog } from "../../support/services.ts";

function parts(clock = manualClock(), log = recordingLog()) {
  return { clock, log, turns: new FileTurns(1) };
}

/** Certificates in a directory of their own, to be changed there. */
function changeable(calls: CertificateCalls = fs) {
  const directory = mkdtempSync(join(tmpdir(), "certificates-"));
  const files = { certificate: join(directory, "c.pem"), privateKey: join(directory, "k.pem") };
  const put = (from: typeof OURS) => {
    copyFileSync(from.certificate, files.certificate);
    copyFileSync(from.privateKey, files.privateKey);
  };
  put(OURS);
  const clock = manualClock();
  const log = recordingLog();
  const certificates = new Certificates([files], false, { ...parts(clock, log), calls });
  const remove = () => rmSync(directory, { recursive: true });
  return { files, put, clock, log, certificates, [Symbol.dispose]: remove };
}

describe("certificates whose files change", () => {
  it("are read again, but looked at no more than once a second", async () => {
    using here = changeable();
    const { put, clock, certificates } = here;
    const first = (await certificates.current()).secureContext;
    put(OTHER);
    assert.equal((await certificates.current()).secureContext, first);
    clock.advance(1000);
    const second = (await certificates.current()).secureContext;
    assert.notEqual(second, first);
    clock.advance(1000);
    assert.equal((await certificates.current()).secureContext, second);
  });

  it("change although the clock was set back", async () => {
    using here = changeable();
    const { put, clock, certificates } = here;
    const first = (await certificates.current()).secureContext;
    put(OTHER);
    clock.step(-500);
    clock.advance(1000);
    assert.notEqual((await certificates.current()).secureContext, first);
  });

  it("stay in force when what is there now cannot be used, which is said once", async () => {
    using here = changeable();
    const { files, put, clock, log, certificates } = here;
    const first = (await certificates.current()).secureContext;
    copyFileSync(OTHER.certificate, files.certificate);
    for (let n = 0; n < 3; n++) {
      clock.advance(1000);
      assert.equal(
        (await certificates.current()).secureContext,
        first,
        "the key is not that of it",
      );
    }
    assert.equal(log.named("relay.warning").length, 1);
    writeFileSync(files.privateKey, "rubbish");
    clock.advance(1000);
    assert.equal((await certificates.current()).secureContext, first);
    rmSync(files.certificate);
    clock.advance(1000);
    assert.equal((await certificates.current()).secureContext, first);
    assert.equal(log.named("relay.warning").length, 3);
    put(OTHER);
    clock.advance(1000);
    assert.notEqual((await certificates.current()).secureContext, first);
  });

  it("that hang hold up a handshake for 100 ms, and no other; the old one serves until they answer", async () => {
    const asked: string[] = [];
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    const calls: CertificateCalls = {
      readFile,
      async stat(path) {
        asked.push(path);
        await answered;
        return stat(path);
      },
    };
    using here = changeable(calls);
    const { files, put, clock, log, certificates } = here;
    const first = certificates.options;
    put(OTHER);
    clock.advance(1000);
    const waiting = [certificates.current(), certificates.current()];
    assert.ok(waiting.every((one) => one instanceof Promise));
    clock.advance(100);
    assert.deepEqual(await Promise.all(waiting), [first, first]);
    clock.advance(1000);
    assert.equal(certificates.current(), first, "the next does not wait at all");
    assert.deepEqual(asked, [files.certificate], "one call waits");
    assert.deepEqual(log.named("relay.warning"), []);
    clock.advance(5000);
    assert.equal(certificates.current(), first);
    assert.equal(certificates.current(), first);
    assert.equal(log.named("relay.warning").length, 1);
    answer();
    while (certificates.options === first) await new Promise(setImmediate);
    assert.notEqual(certificates.options.secureContext, first.secureContext);
  });

  it("must be usable at the start", () => {
    const wrong = { certificate: OTHER.certificate, privateKey: OURS.privateKey };
    assert.throws(() => new Certificates([wrong], false, parts()));
  });
});

describe("the certificate for a name", () => {
  const { secureContextFor } = new Certificates([OURS, OTHER], false, parts()).options;
  assert.ok(secureContextFor);
  const ours = secureContextFor("mx.example.com");
  const other = secureContextFor("other.test");
  const asked: [name: string, context: typeof ours][] = [
    ["MX.Example.COM", ours],
    ["OTHER.test", other],
    ["a.wild.test", other],
    ["a.b.wild.test", undefined],
    ["wild.test", undefined],
    ["nobody.test", undefined],
    ["", undefined],
    [".", undefined],
    ["\0", undefined],
    ["\0other.test", undefined],
    ["other.test\0", undefined],
    ["xn--", undefined],
    ["xn--\u{FFFF}.wild", undefined],
    ["x".repeat(255), undefined],
    ["__proto__", undefined],
    ["constructor", undefined],
    ["*.wild.test", other],
  ];
  it("is a different one for each", () => assert.ok(ours && other && ours !== other));
  for (const [name, context] of asked) {
    const which = context === undefined ? "the first" : context === ours ? "ours" : "the other";
    it(`${JSON.stringify(name.slice(0, 20))} is ${which}`, () => {
      assert.equal(secureContextFor(name), context);
    });
  }
});

describe("a server with two certificates", () => {
  it("shows each client the one that it asks for, and survives what is no name", async () => {
    const clock = manualClock();
    const server = new SmtpServer(serverOptions(), clock, recordingLog());
    const port = await server.listen({
      host: "127.0.0.1",
      port: 0,
      tls: "implicit",
      certificates: [OURS, OTHER],
    });
    server.open({ connect: () => undefined, mail: () => assert.fail("no mail in this test") });
    const shownTo = async (servername: string): Promise<string> => {
      const socket = connect({
        port,
        host: "127.0.0.1",
        servername,
        rejectUnauthorized: false,
        secureContext: createSecureContext(),
      });
      socket.on("error", () => socket.destroy());
      const greeted = await new Promise<boolean>((resolve) => {
        socket.once("data", () => resolve(true)).once("close", () => resolve(false));
      });
      const raw = socket.getPeerX509Certificate()?.raw;
      socket.destroy();
      return greeted && raw !== undefined ? new X509Certificate(raw).subject : "nothing";
    };
    const wild = ["\u0001", "x".repeat(255), "xn--", "xn--a.wild.test", "\u00e9.test", " "];
    for (const name of wild) await shownTo(name);
    assert.equal(await shownTo("mx.example.com"), "CN=mx.example.com");
    assert.equal(await shownTo("deep.wild.test"), "CN=other.test");
    assert.equal(await shownTo("nobody.test"), "CN=mx.example.com");
    const stopped = server.stop(0);
    clock.advance(1000);
    await stopped;
  });
});
