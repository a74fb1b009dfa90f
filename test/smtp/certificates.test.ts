import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { connect, createSecureContext } from "node:tls";
import { Certificates } from "../../src/smtp/certificates.ts";
import { SmtpServer } from "../../src/smtp/server.ts";
import { OTHER, OURS } from "../support/certificates.ts";
import { manualClock } from "../support/clock.ts";
import { serverOptions } from "../support/server-options.ts";
import { recordingLog } from "../support/services.ts";

/** Certificates in a directory of their own, to be changed there. */
function changeable() {
  const directory = mkdtempSync(join(tmpdir(), "certificates-"));
  const files = { certificate: join(directory, "c.pem"), privateKey: join(directory, "k.pem") };
  const put = (from: typeof OURS) => {
    copyFileSync(from.certificate, files.certificate);
    copyFileSync(from.privateKey, files.privateKey);
  };
  put(OURS);
  const clock = manualClock();
  const log = recordingLog();
  const certificates = new Certificates([files], false, clock, log);
  const remove = () => rmSync(directory, { recursive: true });
  return { files, put, clock, log, certificates, [Symbol.dispose]: remove };
}

describe("certificates whose files change", () => {
  it("are read again, but looked at no more than once a second", () => {
    using here = changeable();
    const { put, clock, certificates } = here;
    const first = certificates.options.secureContext;
    put(OTHER);
    assert.equal(certificates.options.secureContext, first);
    clock.advance(1000);
    const second = certificates.options.secureContext;
    assert.notEqual(second, first);
    clock.advance(1000);
    assert.equal(certificates.options.secureContext, second);
  });

  it("change although the clock was set back", () => {
    using here = changeable();
    const { put, clock, certificates } = here;
    const first = certificates.options.secureContext;
    put(OTHER);
    clock.step(-500);
    clock.advance(1000);
    assert.notEqual(certificates.options.secureContext, first);
  });

  it("stay in force when what is there now cannot be used, which is said once", () => {
    using here = changeable();
    const { files, put, clock, log, certificates } = here;
    const first = certificates.options.secureContext;
    copyFileSync(OTHER.certificate, files.certificate);
    for (let n = 0; n < 3; n++) {
      clock.advance(1000);
      assert.equal(certificates.options.secureContext, first, "the key is not that of it");
    }
    assert.equal(log.named("relay.warning").length, 1);
    writeFileSync(files.privateKey, "rubbish");
    clock.advance(1000);
    assert.equal(certificates.options.secureContext, first);
    rmSync(files.certificate);
    clock.advance(1000);
    assert.equal(certificates.options.secureContext, first);
    assert.equal(log.named("relay.warning").length, 3);
    put(OTHER);
    clock.advance(1000);
    assert.notEqual(certificates.options.secureContext, first);
  });

  it("must be usable at the start", () => {
    const wrong = { certificate: OTHER.certificate, privateKey: OURS.privateKey };
    assert.throws(() => new Certificates([wrong], false, manualClock(), recordingLog()));
  });
});

describe("the certificate for a name", () => {
  const { secureContextFor } = new Certificates([OURS, OTHER], false, manualClock(), recordingLog())
    .options;
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
