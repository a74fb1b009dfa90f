// The smtp transport and a smarthost that wants a name and a password: whom it shows them to, and what becomes of
// the mail when they are not taken.

import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, describe, test, type TestContext } from "node:test";
import type { SMTPServerOptions } from "smtp-server";
import type { Batch } from "../../src/contract/contract.ts";
import { statusLine } from "../../src/mail/status.ts";
import { smtp } from "../../transports/smtp.ts";
import { problemsOf, type OptionTable } from "../conformance/driver.ts";
import { OTHER, OURS } from "../support/certificates.ts";
import { batch, recipient } from "../support/build.ts";
import { recordingLog } from "../support/services.ts";
import { greet, scriptedServer, startSink } from "../support/sink.ts";
import { create as createSmtp } from "./sending.ts";
import { at } from "./support.ts";
import type { Host } from "../../src/mail/host.ts";

const directory = mkdtempSync(join(tmpdir(), "unseen-auth-"));
after(() => rmSync(directory, { recursive: true }));
const file = join(directory, "password");
const authorities = OURS.certificate;

function setPassword(password: string): void {
  writeFileSync(file, `${password}\n`);
  chmodSync(file, 0o600);
}
beforeEach(() => setPassword("right"));

/** Takes mail from those who have logged in as relay with the password "right". */
const withLogin: SMTPServerOptions = {
  authOptional: false,
  onAuth: ({ username, password }, _session, done) =>
    username === "relay" && password === "right"
      ? done(null, { user: username })
      : done(Object.assign(new Error("5.7.8 not you"), { responseCode: 535 })),
};

const notTold: SMTPServerOptions = { onAuth: () => assert.fail("it was told") };

const AUTH = { auth_user: "relay", auth_password_file: file, tls_verify_certificates: authorities };

function create(t: TestContext, table: OptionTable) {
  const log = recordingLog();
  const transport = createSmtp(t, { ...AUTH, ...table }, { log });
  const bob = recipient("bob@example.com");
  return {
    log,
    send: async (given: Partial<Batch> = {}): Promise<string> => {
      const outcomes = await transport.deliver(batch([bob], given), new AbortController().signal);
      const outcome = outcomes.get(bob.id);
      assert.ok(outcome !== undefined);
      return `${outcome.kind} ${statusLine(outcome.status)}`;
    },
  };
}

describe("smtp transport, AUTH", () => {
  test("logs in under verified TLS, without a further word in the file", async (t) => {
    await using sink = await startSink({ tls: true, server: withLogin });
    const { send, log } = create(t, { hosts: at(sink.port) });
    assert.equal(await send(), "delivered 250 2.0.0 taken");
    assert.deepEqual(log.events, []);
  });

  test("and over smtps", async (t) => {
    await using sink = await startSink({ tls: true, server: { ...withLogin, secure: true } });
    const { send } = create(t, { hosts: at(sink.port), protocol: "smtps" });
    assert.equal(await send(), "delivered 250 2.0.0 taken");
  });

  test("a wrong password delays the mail and is an alarm; the right one is read without a restart", async (t) => {
    await using sink = await startSink({ tls: true, server: withLogin });
    const { send, log } = create(t, { hosts: at(sink.port) });
    setPassword("s3cret-but-wrong");
    assert.equal(await send(), "deferred 451 4.7.8 AUTH was refused: 535 5.7.8 not you");
    const label = `127.0.0.1 [127.0.0.1]:${sink.port}`;
    const what = `${label} does not let this relay in: 451 4.7.8 AUTH was refused: 535 5.7.8 not you`;
    assert.deepEqual(log.events, [{ name: "alarm", fields: { id: "0000000001", what } }]);
    setPassword("right");
    assert.equal(await send({ force: true }), "delivered 250 2.0.0 taken");
  });

  test("a password file that has become readable for everybody is not used", async (t) => {
    await using sink = await startSink({ tls: true, server: withLogin });
    const { send, log } = create(t, { hosts: at(sink.port) });
    chmodSync(file, 0o644);
    assert.equal(await send(), "deferred 451 4.7.8 No password to show to the host");
    assert.match(JSON.stringify(log.named("alarm")), /can be used by everybody on this machine/);
  });

  test("a host whose certificate is not valid never sees the password", async (t) => {
    await using sink = await startSink({
      tls: true,
      server: notTold,
    });
    const table = { hosts: at(sink.port), tls_verify_certificates: OTHER.certificate };
    const { send } = create(t, table);
    assert.match(await send(), /^deferred 451 4\.7\.5 TLS handshake failed/);
  });

  test("hosts of the router and fallback_hosts are spoken to without it", async (t) => {
    await using other = await startSink({ tls: true, server: notTold });
    const elsewhere: Host[] = [{ name: "127.0.0.1", addresses: ["127.0.0.1"], port: other.port }];
    const routed = create(t, { hosts: "smarthost.example.net:587" });
    assert.equal(await routed.send({ hosts: elsewhere }), "delivered 250 2.0.0 taken");
    const fallback = create(t, { hosts: "127.0.0.1:1", fallback_hosts: at(other.port) });
    assert.equal(await fallback.send(), "delivered 250 2.0.0 taken");
  });

  test("auth_tls lets the postmaster of both ends do with less", async (t) => {
    await using sink = await startSink({
      server: { ...withLogin, disabledCommands: ["STARTTLS"], allowInsecureAuth: true },
    });
    const { send } = create(t, { hosts: at(sink.port), auth_tls: "none" });
    assert.equal(await send(), "delivered 250 2.0.0 taken");
  });

  for (const [where, replies] of Object.entries({
    MAIL: ["530 5.7.0 Authentication required", "503 no"],
    RCPT: ["250 ok", "530 5.7.0 Authentication required"],
  })) {
    test(`a host of ours that wants to be logged in to at ${where} delays the mail, with an alarm`, async (t) => {
      await using peer = await scriptedServer(async (conn) => {
        await greet(conn, ["8BITMIME"]);
        for (const reply of replies) {
          await conn.readLine();
          conn.send(reply);
        }
        await conn.closed();
      });
      const log = recordingLog();
      const transport = createSmtp(t, { hosts: at(peer.port) }, { log });
      const bob = recipient("bob@example.com");
      const given = batch([bob]);
      const { signal } = new AbortController();
      const own = (await transport.deliver(given, signal)).get(bob.id);
      assert.equal(own?.kind, "deferred");
      assert.equal(log.named("alarm").length, 1);

      const strangers = createSmtp(t, {});
      const hosts = [{ name: "127.0.0.1", addresses: ["127.0.0.1"], port: peer.port }];
      const theirs = (await strangers.deliver({ ...given, hosts }, signal)).get(bob.id);
      assert.equal(theirs?.kind, "failed");
    });
  }
});

describe("smtp transport, options of AUTH and TLS", () => {
  test("say what is wrong with them", () => {
    const user = { auth_user: "relay" };
    const whole = { ...user, auth_password_file: file, hosts: "smtp.example.net:587" };
    for (const [table, problems] of [
      [whole, []],
      [{ ...whole, auth_tls: "none", tls: "none" }, []],
      [
        { ...whole, tls: "none" },
        ['tls: cannot be "none": auth_tls is "verify", to protect the password'],
      ],
      [
        { ...whole, hosts: undefined },
        ["hosts: is missing (list of next hops): the password is sent only to hosts of this list"],
      ],
      [
        { ...user, hosts: "smtp.example.net" },
        ["auth_password_file: is missing (path): there is an auth_user"],
      ],
      [
        { auth_password_file: file, hosts: "smtp.example.net" },
        ["auth_user: is missing (text): there is an auth_password_file"],
      ],
      [{ protocol: "smtps", tls: "none" }, ['tls: cannot be "none": protocol is "smtps"']],
    ] as const) {
      assert.deepEqual(problemsOf(smtp, table), problems);
    }
  });
});
