// Promise 1 on the running relay: its system calls fail while it works, or it is killed in the middle of each.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { RelayProcess } from "../support/relay-process.ts";
import { eventually } from "./eventually.ts";
import {
  cannotTrace,
  type Ground,
  LARGE,
  MEDIUM,
  prepareGround,
  send,
  session,
  SMALL,
  trace,
} from "./durability.ts";

const REFUSED = /^(452 4\.3\.1|451 4\.3\.0) /;
const skip = cannotTrace();

const FAULTS = [
  ["fsync", ["EIO", "ENOSPC", "EDQUOT", "EROFS"]],
  ["pwrite64", ["EIO", "ENOSPC", "EDQUOT", "EROFS"]],
  ["openat", ["EMFILE", "ENOSPC", "EROFS"]],
  ["unlink", ["EIO", "EROFS"]],
] as const;

interface Ledger {
  readonly acknowledged: Set<number>;
  readonly refused: Set<number>;
  next: number;
}

/** Two of each size, each on a connection of its own; every one gets an answer. */
async function sendSome(ground: Ground, ledger: Ledger): Promise<string[]> {
  const replies: string[] = [];
  for (const size of [SMALL, LARGE, SMALL, LARGE]) {
    using wire = await session(ground.port);
    const number = ledger.next++;
    const reply = await send(wire, number, size);
    (reply.startsWith("250") ? ledger.acknowledged : ledger.refused).add(number);
    replies.push(reply);
  }
  return replies;
}

const bodies = ({ directory }: Ground) => readdirSync(join(directory, "spool", "bodies"));
const descriptors = ({ pid }: RelayProcess) => readdirSync(`/proc/${pid}/fd`).length;

describe("a relay whose disk fails for a moment", { skip }, () => {
  it("refuses for now, loses nothing, and goes on when it is over", async () => {
    await using ground = await prepareGround();
    const relay = await ground.start();
    const ledger: Ledger = { acknowledged: new Set(), refused: new Set(), next: 1 };
    const idle = async () => {
      await eventually("all that was accepted arrives", () =>
        ledger.acknowledged.isSubsetOf(new Set(ground.arrived())),
      );
      await eventually("no body is left", () => bodies(ground).length === 0);
    };
    assert.ok((await sendSome(ground, ledger)).every((reply) => reply.startsWith("250")));
    await idle();
    const before = descriptors(relay);

    for (const [call, errors] of FAULTS) {
      for (const error of errors) {
        const fault = await trace(relay.pid, [
          "-e",
          `trace=${call}`,
          "-e",
          `inject=${call}:error=${error}`,
          "-o",
          "/dev/null",
        ]);
        const during = await sendSome(ground, ledger);
        await fault.stop();
        for (const reply of during) {
          assert.match(reply, reply.startsWith("250") ? /^250/ : REFUSED, `${call} ${error}`);
        }
        if (call !== "unlink") {
          assert.ok(
            during.some((reply) => REFUSED.test(reply)),
            `${call} ${error}: ${during.join()}`,
          );
        }
        const after = await sendSome(ground, ledger);
        assert.ok(
          after.every((reply) => reply.startsWith("250")),
          `after ${call} ${error}: ${after.join()}`,
        );
        await idle();
      }
    }
    await eventually("no descriptor is left open", () => descriptors(relay) <= before + 2);

    const completed = () => relay.log().split('"message.completed"').length - 1;
    await eventually("the queue is empty", () => completed() === ledger.acknowledged.size);

    // The log comes a moment before the commit.
    await pause(1000);

    // What was refused is nowhere, and a crash does not bring it back.
    await relay.kill("SIGKILL");
    const again = await ground.start();
    assert.match(again.log(), /"spool.recovered","messages":0,/);
    const arrived = new Set(ground.arrived());
    assert.deepEqual(
      [...ledger.refused].filter((number) => arrived.has(number)),
      [],
    );
    assert.deepEqual(
      [...ledger.acknowledged].filter((number) => !arrived.has(number)),
      [],
    );
  });

  it("never brings back what it refused because a commit could not be synced", async () => {
    await using ground = await prepareGround();
    const relay = await ground.start();
    const ledger: Ledger = { acknowledged: new Set(), refused: new Set(), next: 1 };
    await sendSome(ground, ledger);
    await eventually("the queue is empty", () => ground.arrived().length === 4);
    const fault = await trace(relay.pid, [
      "-e",
      "trace=fsync",
      "-e",
      "inject=fsync:error=EIO",
      "-o",
      "/dev/null",
    ]);
    using wire = await session(ground.port);
    assert.match(await send(wire, 99, SMALL), REFUSED);
    await fault.stop();
    // It tidies up by itself: no further commit is needed to be rid of the failed one.
    await pause(2500);
    await relay.kill("SIGKILL");
    await ground.start();
    using other = await session(ground.port);
    assert.match(await send(other, 100, SMALL), /^250/);
    await eventually("the accepted one arrives", () => ground.arrived().includes(100));
    assert.ok(!ground.arrived().includes(99));
  });
});

describe("a relay that is killed in the middle of a system call", { skip }, () => {
  for (const [what, size] of [
    ["small", SMALL],
    ["medium", MEDIUM],
    ["large", LARGE],
  ] as const) {
    it(`has a ${what} message whole or not at all, and whole if it was accepted`, async () => {
      await using ground = await prepareGround();
      let number = 0;
      let acknowledged = 0;
      let kills = 0;
      let relay = await ground.start();
      for (const call of ["fsync", "pwrite64", "rename", "unlink", "openat"]) {
        for (let nth = 1; nth < 30; nth++) {
          number += 1;
          const inject = `inject=${call}:signal=KILL:when=${nth}`;
          const fault = await trace(relay.pid, [
            "-e",
            `trace=${call}`,
            "-e",
            inject,
            "-o",
            "/dev/null",
          ]);
          const reply = await attempt(ground.port, number, size);
          if (reply.startsWith("250")) acknowledged += 1;
          await eventually(
            "it is killed, or done",
            () => relay.isGone() || isCompleted(relay, reply),
          );
          await fault.stop();
          await pause(20);
          const killed = relay.isGone();
          kills += killed ? 1 : 0;
          if (killed) {
            assert.equal(await relay.kill("SIGKILL"), null, "it did not end by itself");
            relay = await ground.start();
          }
          // numberOf, in arrived(), throws for one that is not whole.
          if (reply.startsWith("250")) {
            const sent = number;
            await eventually(`${sent} arrives`, () => ground.arrived().includes(sent));
          }
          await eventually("nothing is left", () => bodies(ground).length === 0);
          if (!killed) break;
        }
      }
      assert.ok(kills > 12, `only ${kills} kills`);
      assert.ok(acknowledged > 5, `only ${acknowledged} accepted`);
      const copies = new Set(ground.copies()).size;
      assert.ok(copies >= acknowledged, `${copies} copies of ${acknowledged}`);
    });
  }
});

/** "" when the relay died before it answered. */
async function attempt(port: number, number: number, size: number): Promise<string> {
  try {
    using wire = await session(port);
    return await send(wire, number, size);
  } catch (error) {
    assert.match(String(error), /gone|ECONN|EPIPE/);
    return "";
  }
}

/** The message of which the relay said "queued as ID" has left the spool. */
function isCompleted(relay: RelayProcess, reply: string): boolean {
  const id = reply.split(" ").at(-1) ?? "";
  return relay.log().includes(`"message.completed","id":"${id}"`);
}
