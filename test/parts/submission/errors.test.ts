// Errors of the relay itself, and of smtp-server: they end one session, and no other.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import { SessionParty, LoopAccounts } from "../../../src/base/loop-account.ts";
import { LOCAL_ERROR, status } from "../../../src/mail/status.ts";
import type { MailTransaction } from "../../../src/smtp/server/reception.ts";
import { DialogueServer } from "../../../src/parts/submission/dialogue-server.ts";
import { Front } from "../../../src/parts/submission/front.ts";
import { Session } from "../../../src/parts/submission/session.ts";
import { serverOptions } from "../../support/server-options.ts";
import { Wire } from "../../support/wire.ts";
import { LOGIN } from "./relay.ts";

type Means = ConstructorParameters<typeof Session>[1];

const transaction: MailTransaction = {
  recipient: () => status(250, "1.5", "Ok"),
  message: () => ({
    write: () => undefined,
    finish: async () => status(250, "0.0", "Ok"),
    abort: () => undefined,
  }),
};

/** A server of sessions with these means, and the errors that they report. */
async function serve(given: Partial<Means>) {
  const errors: string[] = [];
  const accounts = new LoopAccounts();
  let open = 0;
  const server = new DialogueServer({ hostname: "mx.example.com", sizeMax: 1_000_000 });
  const fronts: Front[] = [];
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    open++;
    const accepted = {
      socket,
      address: "192.0.2.1",
      isReserved: false,
      party: new SessionParty(accounts.of("192.0.2.1", false)),
      implicitTls: false,
      tls: undefined,
      release: () => undefined,
    };
    const session = new Session(accepted, {
      server: {
        connect(front, ...rest) {
          fronts.push(front);
          server.connect(front, ...rest);
        },
      },
      limits: serverOptions().limits,
      now: () => performance.now(),
      login: async () => "alice@example.com",
      mail: async () => transaction,
      onError: (_, where, error) => errors.push(`${where}: ${String(error)}`),
      onTlsFailure: () => undefined,
      onDropped: () => undefined,
      onEnd: () => undefined,
      onClose: () => open--,
      ...given,
    });
    session.start();
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  assert.ok(typeof address === "object" && address !== null);
  const { port } = address;
  return {
    errors,
    fronts,
    open: () => open,
    async login() {
      const wire = await Wire.open(port);
      await wire.reply();
      await wire.ask("EHLO client.example.net");
      await wire.ask(LOGIN);
      return wire;
    },
    [Symbol.dispose]: () => void listener.close(),
  };
}

const bug = () => {
  throw new Error("a bug");
};

describe("submission: an error of the relay", () => {
  test("while a command is read ends its session only", async () => {
    using server = await serve({ onDropped: bug });
    const [bad, good] = [await server.login(), await server.login()];
    bad.send("MAIL FROM:<alice@example.com> ENVID=+zz\r\n");
    assert.equal(await bad.closed(), "");
    assert.deepEqual(server.errors, ["session: Error: a bug"]);
    assert.match(await good.ask("MAIL FROM:<alice@example.com>"), /^250/);
    good[Symbol.dispose]();
  });

  for (const [name, given, line] of [
    ["login", { login: bug }, LOGIN],
    ["MAIL", { mail: bug }, "MAIL FROM:<alice@example.com>"],
    [
      "RCPT",
      { mail: async () => ({ ...transaction, recipient: bug }) },
      "RCPT TO:<bob@example.com>",
    ],
  ] as const) {
    test(`in the answer to ${name} is 451, and the session goes on`, async () => {
      using server = await serve(given);
      const wire = await server.login();
      if (name === "RCPT") await wire.ask("MAIL FROM:<alice@example.com>");
      assert.match(await wire.ask(line), /^451 4\.3\.0 /);
      assert.match(await wire.ask("NOOP"), /^250/);
      assert.ok(server.errors.every((error) => error.endsWith("Error: a bug")));
      wire[Symbol.dispose]();
    });
  }

  for (const [name, sink] of [
    ["begins", bug],
    ["comes in", () => ({ ...transaction.message(), write: bug })],
    ["ends", () => ({ ...transaction.message(), finish: bug })],
  ] as const) {
    test(`when a message ${name} is 451 at its end, and the session goes on`, async () => {
      using server = await serve({ mail: async () => ({ ...transaction, message: sink }) });
      const wire = await server.login();
      await wire.ask("MAIL FROM:<alice@example.com>");
      await wire.ask("RCPT TO:<bob@example.com>");
      assert.match(await wire.ask("DATA"), /^354/);
      assert.equal(
        await wire.ask("x\r\nMAIL FROM:<x@y.z>\r\n."),
        `451 ${LOCAL_ERROR.enhanced} ${LOCAL_ERROR.text}`,
      );
      assert.match(await wire.ask("NOOP"), /^250/);
      assert.equal(server.errors.length, 1);
      wire[Symbol.dispose]();
    });
  }

  test("in smtp-server, while it reads a command, destroys the front of its session", async () => {
    const front = new Front(
      () => undefined,
      () => undefined,
    );
    front.on("data", bug);
    front.give("NOOP");
    const [error]: unknown[] = await once(front, "error");
    assert.match(String(error), /a bug/);
    assert.ok(front.destroyed);
  });

  test("in smtp-server ends the session, and its slot is free again", async () => {
    using server = await serve({});
    const [bad, good] = [await server.login(), await server.login()];
    server.fronts[0]?.on("data", bug);
    bad.send("NOOP\r\n");
    await bad.closed();
    assert.match(server.errors.join(), /a bug/);
    assert.match(await good.ask("NOOP"), /^250/);
    assert.equal(server.open(), 1);
    good[Symbol.dispose]();
  });
});
