// A host that ends the connection over one recipient or one message: everybody else's mail goes on.

import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import type { Batch, Transport } from "../../src/contract/contract.ts";
import { HostHints } from "../../src/retry/hosts/hosts.ts";
import { lmtp } from "../../transports/lmtp.ts";
import { smtp } from "../../transports/smtp.ts";
import { type OptionTable } from "../conformance/driver.ts";
import { manualClock } from "../support/clock.ts";
import { batch, envelope } from "../support/build.ts";
import { greet, type ScriptedConnection, scriptedServer, startSink } from "../support/sink.ts";
import { createWith } from "./sending.ts";
import { at, never, people, told } from "./support.ts";

const CLOSING = "421 4.7.28 unusual rate of unsolicited mail";
const CLOSING_LINE = /^deferred message 421 4\.7\.28 /;
const SECOND = 1000;

function create(t: TestContext, table: OptionTable) {
  const clock = manualClock();
  const hints = new HostHints({ retry: [], replies: [], random: () => 0 }, clock);
  const transport = createWith(t, smtp, table, { clock, hints });
  return { transport, clock, hints };
}

async function send(
  transport: Transport,
  names: readonly string[],
  given: Partial<Batch> = {},
): Promise<string[]> {
  const recipients = people(...names);
  return told(await transport.deliver(batch(recipients, given), never()), recipients);
}

const bad = (id: string) => ({
  envelope: envelope({
    id,
    sender: { address: "bad@example.org", localPart: "bad", domain: "example.org" },
  }),
});
const from = (id: string) => ({ envelope: envelope({ id }) });

/** Answers each command by its line; "421 …" ends the connection, and so do an empty text and one that ends in NUL. */
function answering(reply: (command: string, ordinal: number) => string | undefined) {
  return scriptedServer(async (conn, ordinal) => {
    await greet(conn);
    for (;;) {
      const command = await conn.readLine();
      const said = reply(command, ordinal) ?? (command === "DATA" ? "354 go" : "250 2.0.0 ok");
      if (said === "") return;
      conn.send(said.replace("\r\n\0", ""));
      if (said.endsWith("\0")) return;
      if (said.startsWith("421") || command === "QUIT") return;
      if (said.startsWith("354") && !(await takesMessage(conn, (end) => reply(end, ordinal))))
        return;
    }
  });
}

/** False when the connection is over. */
async function takesMessage(
  conn: ScriptedConnection,
  reply: (end: string) => string | undefined,
): Promise<boolean> {
  const text = await conn.readUntil("\r\n.\r\n");
  const said = reply(text) ?? "250 2.0.0 taken";
  if (said !== "") conn.send(said);
  return said !== "" && !said.startsWith("421");
}

for (const said of ["250\tok", "250", "250 ", "250-2.0.0 taken\r\n250", "250\t2.0.0 ok\r"]) {
  test(`a message is delivered that was taken with ${JSON.stringify(said)}`, async (t) => {
    await using peer = await answering((line) => (line.endsWith("\r\n.\r\n") ? said : undefined));
    const { transport } = create(t, { hosts: at(peer.port) });
    for (const name of ["alice", "bob"]) {
      const [outcome] = await send(transport, [name]);
      assert.match(outcome ?? "", /^delivered 250 2\.0\.0 /);
    }
    assert.equal(peer.connections, 1);
  });
}

test("a message is refused whose refusal has a tab behind its code", async (t) => {
  await using peer = await answering((line) =>
    line.endsWith("\r\n.\r\n") ? "554\tno" : undefined,
  );
  const { transport } = create(t, { hosts: at(peer.port) });
  const [outcome] = await send(transport, ["alice"]);
  assert.match(outcome ?? "", /^failed 554 5\.0\.0 no/);
});

describe("over one recipient", () => {
  for (const [what, last] of [
    ["421", "421 4.3.2 closing"],
    ["a reply that contradicts itself", "250-2.1.5 yes\r\n550 5.1.1 no"],
    ["a lost connection", ""],
    ["a temporary refusal and a lost connection", "450 4.7.1 later\r\n\0"],
    ["a refusal and a lost connection", "550 5.1.1 no such user\r\n\0"],
  ] as const) {
    test(`${what}: the others of the message go at once, and other mail does`, async (t) => {
      await using peer = await answering((command) =>
        command.startsWith("RCPT TO:<bob") ? last : undefined,
      );
      const { transport, hints } = create(t, { hosts: at(peer.port) });
      const [alice, bob, carol] = await send(transport, ["alice", "bob", "carol"]);
      assert.deepEqual([alice, carol], Array(2).fill("delivered 250 2.0.0 taken"));
      assert.match(bob ?? "", /^(?:deferred recipient 4|failed 550 )/);
      // One with bob, one without, and that one is still good.
      assert.equal(peer.connections, 2);
      assert.ok(hints.isEmpty);
      assert.deepEqual(await send(transport, ["dave"]), ["delivered 250 2.0.0 taken"]);
      assert.equal(peer.connections, 2);
    });
  }

  test("the last one, who was refused: those before it go at once", async (t) => {
    await using peer = await answering((command) =>
      command.startsWith("RCPT TO:<bob") ? "554 5.7.1 not you\r\n\0" : undefined,
    );
    const { transport, hints } = create(t, { hosts: at(peer.port) });
    assert.deepEqual(await send(transport, ["alice", "carol", "bob"]), [
      "delivered 250 2.0.0 taken",
      "delivered 250 2.0.0 taken",
      "failed 554 5.7.1 not you",
    ]);
    assert.deepEqual([peer.connections, hints.isEmpty], [2, true]);
  });

  test("it goes to the next host, and the others do not", async (t) => {
    await using peer = await answering((command) =>
      command.startsWith("RCPT TO:<bob") ? CLOSING : undefined,
    );
    await using other = await startSink();
    const { transport } = create(t, { hosts: at(peer.port, other.port) });
    assert.deepEqual(await send(transport, ["bob", "carol"]), [
      "delivered 250 2.0.0 taken",
      "delivered 250 2.0.0 taken",
    ]);
    assert.deepEqual(other.attempted, ["bob@example.com"]);
  });

  test("many of them: some each time, and who is behind them comes back before them", async (t) => {
    await using peer = await answering((command) =>
      command.startsWith("RCPT TO:<bad") ? CLOSING : undefined,
    );
    const { transport, clock } = create(t, { hosts: at(peer.port) });
    const names = Array.from({ length: 8 }, (_, index) => `bad${index}`);
    const recipients = people(...names, "good");
    const first = await transport.deliver(batch(recipients), never());
    assert.equal(peer.connections, 6);
    const left = recipients.filter(({ id }) => {
      const outcome = first.get(id);
      return outcome?.kind === "deferred" && outcome.untried === true;
    });
    assert.deepEqual(
      left.map(({ mailbox }) => mailbox.localPart),
      ["bad6", "bad7", "good"],
    );
    for (const { id } of left) {
      const outcome = first.get(id);
      assert.ok(outcome?.kind === "deferred" && outcome.waitsFor === undefined);
      assert.ok((outcome.notBefore ?? Infinity) <= clock.now() + 180 * SECOND);
    }
    const second = await transport.deliver(batch(left), never());
    assert.equal(told(second, left).at(-1), "delivered 250 2.0.0 taken");
  });

  test("a server of mailboxes: who was not answered for may have it, and is sent nowhere else", async (t) => {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn);
      await conn.readUntil("DATA\r\n");
      conn.send("250 a", "250 b", "250 c", "250 d", "354 go");
      await conn.readUntil("\r\n.\r\n");
      conn.send("250 2.0.0 a is in", "421 4.3.2 b is not");
    });
    const transport = createWith(t, lmtp, { hosts: at(peer.port) }, { clock: manualClock() });
    const lines = await send(transport, ["a", "b", "c"]);
    assert.deepEqual(lines.slice(0, 2), [
      "delivered 250 2.0.0 a is in",
      "deferred recipient 421 4.3.2 b is not",
    ]);
    assert.match(lines[2] ?? "", /^deferred message 421 4\.3\.2 /);
  });
});

describe("over one message", () => {
  const stages: Readonly<Record<string, (command: string) => boolean>> = {
    MAIL: (command) => command.startsWith("MAIL FROM:<bad"),
    DATA: (command) => command === "DATA",
    "the dot": (command) => command.endsWith("\r\n.\r\n"),
  };
  for (const [stage, isIt] of Object.entries(stages)) {
    test(`421 to ${stage} at each of five hosts holds no other mail`, async (t) => {
      let isBad = true;
      const hosts = await Promise.all(
        Array.from({ length: 5 }, () =>
          answering((command) => (isBad && isIt(command) ? CLOSING : undefined)),
        ),
      );
      t.after(() => Promise.all(hosts.map((host) => host[Symbol.asyncDispose]())));
      const { transport } = create(t, { hosts: at(...hosts.map(({ port }) => port)) });
      const [line] = await send(transport, ["bob"], bad("spam1"));
      assert.match(line ?? "", CLOSING_LINE);
      assert.deepEqual(
        hosts.map(({ connections }) => connections),
        [1, 1, 1, 1, 1],
      );
      isBad = false;
      assert.deepEqual(await send(transport, ["bob"], from("m2")), ["delivered 250 2.0.0 taken"]);
      assert.equal(hosts[0]?.connections, 2);
    });
  }

  test("one message after the other: pauses of seconds, and no more than a minute", async (t) => {
    let isBusy = true;
    await using peer = await answering((command) =>
      isBusy && command.endsWith("\r\n.\r\n") ? CLOSING : undefined,
    );
    const { transport, clock } = create(t, { hosts: at(peer.port) });
    for (let count = 1; count <= 20; count++) {
      assert.match((await send(transport, ["bob"], from(`m${count}`)))[0] ?? "", CLOSING_LINE);
      assert.equal(peer.connections, count);
      if (count > 1) {
        const waits = await send(transport, ["bob"], from("other"));
        assert.match(waits[0] ?? "", /^deferred host 421 4\.7\.28 Waits for /);
        assert.equal(peer.connections, count);
      }
      clock.advance(60 * SECOND);
    }
    isBusy = false;
    assert.deepEqual(await send(transport, ["bob"], from("good")), ["delivered 250 2.0.0 taken"]);
    assert.deepEqual(await send(transport, ["bob"], from("next")), ["delivered 250 2.0.0 taken"]);
  });

  test("the same message again and again counts once", async (t) => {
    await using peer = await answering((command) =>
      command.startsWith("MAIL FROM:<bad") ? CLOSING : undefined,
    );
    const { transport, hints } = create(t, { hosts: at(peer.port) });
    for (let count = 0; count < 10; count++) await send(transport, ["bob"], bad("spam"));
    const key = `127.0.0.1 [127.0.0.1]:${peer.port}`;
    assert.equal(hints.blocked(key, "another"), undefined);
    assert.equal(hints.isInDoubt(key), false);
    assert.deepEqual(await send(transport, ["bob"], from("good")), ["delivered 250 2.0.0 taken"]);
  });

  test("a host that hangs up at one sender's MAIL is there for the others at once", async (t) => {
    await using peer = await answering((command) =>
      command.startsWith("MAIL FROM:<bad") ? "" : undefined,
    );
    const { transport, clock } = create(t, { hosts: at(peer.port) });
    for (let round = 0; round < 3; round++) {
      assert.match((await send(transport, ["bob"], bad("spam")))[0] ?? "", /^deferred host 451/);
      assert.deepEqual(await send(transport, ["bob"], from("good")), ["delivered 250 2.0.0 taken"]);
      clock.advance(900 * SECOND);
    }
  });

  test("when the time of a host that was down has come, such a message is not what keeps others away", async (t) => {
    let isDown = true;
    await using peer = await scriptedServer(async (conn) => {
      if (isDown) return;
      await greet(conn);
      const mail = await conn.readUntil("DATA\r\n");
      if (mail.startsWith("MAIL FROM:<bad")) return;
      conn.send("250 a", "250 b", "354 go");
      await conn.readUntil("\r\n.\r\n");
      conn.send("250 2.0.0 taken");
      await conn.closed();
    });
    const { transport, clock } = create(t, { hosts: at(peer.port) });
    await send(transport, ["bob"], bad("spam"));
    clock.advance(901 * SECOND);
    isDown = false;
    await send(transport, ["bob"], bad("spam"));
    assert.deepEqual(await send(transport, ["bob"], from("good")), ["delivered 250 2.0.0 taken"]);
  });
});

async function answersTo(t: TestContext, ...second: readonly string[]) {
  const rounds: string[][] = [];
  await using peer = await scriptedServer(async (conn) => {
    await greet(conn);
    for (const refusal of [...second, undefined]) {
      const commands = await conn.readUntil("DATA\r\n");
      const names = [...commands.matchAll(/RCPT TO:<(\w+)/g)].map(([, name]) => name ?? "");
      rounds.push(names);
      const replies = names.map((_, index) =>
        refusal !== undefined && index + 1 === names.length ? refusal : "250 ok",
      );
      const isTaken = replies.some((reply) => reply.startsWith("250"));
      conn.send("250 ok", ...replies, isTaken ? "354 go" : "554 nobody");
      if (!isTaken) continue;
      await conn.readUntil("\r\n.\r\n");
      conn.send("250 2.0.0 taken");
    }
    await conn.closed();
  });
  const { transport } = create(t, { hosts: at(peer.port), connection_idle: "0s" });
  const lines = await send(transport, ["alice", "bob"]);
  return { lines, rounds };
}

describe("552 to RCPT", () => {
  for (const said of ["552 too many recipients", "552 5.5.3 too many recipients"]) {
    test(`${said}: behind one that was taken it is 452 4.5.3`, async (t) => {
      const { lines, rounds } = await answersTo(t, said);
      assert.deepEqual(lines, Array(2).fill("delivered 250 2.0.0 taken"));
      assert.deepEqual(rounds, [["alice", "bob"], ["bob"]]);
    });

    test(`${said}: alone it is final`, async (t) => {
      const { lines, rounds } = await answersTo(t, said, said);
      assert.equal(lines[0], "delivered 250 2.0.0 taken");
      assert.match(lines[1] ?? "", /^failed 552 /);
      assert.deepEqual(rounds.slice(0, 2), [["alice", "bob"], ["bob"]]);
    });
  }

  test("552 5.2.2 is a full mailbox", async (t) => {
    const { lines } = await answersTo(t, "552 5.2.2 over quota");
    assert.deepEqual(lines, ["delivered 250 2.0.0 taken", "failed 552 5.2.2 over quota"]);
  });

  test("before the first that was taken it is final", async (t) => {
    await using peer = await answering((command) =>
      command.startsWith("RCPT TO:<alice") ? "552 too much" : undefined,
    );
    const { transport } = create(t, { hosts: at(peer.port) });
    const [alice, bob] = await send(transport, ["alice", "bob"]);
    assert.match(alice ?? "", /^failed 552 /);
    assert.equal(bob, "delivered 250 2.0.0 taken");
  });

  test("of a message that is put off it is later, too", async (t) => {
    await using peer = await answering((command) => {
      if (command.startsWith("RCPT TO:<bob")) return "552 too many";
      return command.endsWith("\r\n.\r\n") ? "451 4.3.0 not now" : undefined;
    });
    const { transport } = create(t, { hosts: at(peer.port) });
    const [alice, bob] = await send(transport, ["alice", "bob"]);
    assert.equal(alice, "deferred message 451 4.3.0 not now");
    assert.match(bob ?? "", /^deferred recipient 452 4\.5\.3 552 /);
  });
});
