// Every system call by which a large body reaches the disk fails once, in every way a disk fails: the message is
// refused, nothing of it is left, and the next one is stored.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { SpoolError } from "../../../src/spool/spool.ts";
import { faultyCalls, systemError } from "../../support/file-calls.ts";
import { assertBytes, big, inPlace, settled, store } from "./place.ts";

const ERRORS = {
  ENOSPC: { error: () => systemError("ENOSPC"), full: true },
  EDQUOT: { error: () => systemError("EDQUOT"), full: true },
  EIO: { error: () => systemError("EIO"), full: false },
  EROFS: { error: () => systemError("EROFS"), full: false },
  EMFILE: { error: () => systemError("EMFILE"), full: false },
} as const;

/** The calls of one large message, in order. */
async function callsOfOneMessage(): Promise<readonly string[]> {
  let made: readonly string[] = [];
  await inPlace(async ({ open }) => {
    const calls = faultyCalls(() => undefined);
    await store(await open({ calls }), big);
    made = [...calls.made];
  });
  return made;
}

const steps = await callsOfOneMessage();

describe("a large message", () => {
  it("takes these calls, or the cases here are the wrong ones", () => {
    assert.deepEqual(
      steps.filter((name) => name !== "write"),
      ["open", "fsync", "close", "open", "fsync", "close"],
    );
    assert.ok(steps.filter((name) => name === "write").length > 1);
  });

  for (const [name, { error, full }] of Object.entries(ERRORS)) {
    it(`is refused whichever call fails with ${name}, leaves nothing, and the next is stored`, () =>
      inPlace(async ({ directory, open }) => {
        let failing = Number.POSITIVE_INFINITY;
        const calls = faultyCalls((_, index) => {
          if (index === failing) throw error();
        });
        const spool = await open({ calls });
        for (const [step, call] of steps.entries()) {
          const where = `call ${step + 1}, ${call}`;
          failing = calls.made.length + step;
          await assert.rejects(store(spool, big), (failure: unknown) => {
            assert.ok(failure instanceof SpoolError, where);
            assert.equal(failure.full, full, where);
            return true;
          });
          assert.equal(calls.descriptors.size, 0, `${where}: no descriptor is left open`);
          assert.deepEqual(readdirSync(join(directory, "bodies")), [], where);
          assert.equal(await spool.count(), 0, where);

          failing = Number.POSITIVE_INFINITY;
          const next = await store(spool, big, true);
          await assertBytes(next, big);
          await spool.settle(settled(next.envelope.id, "completed"));
        }
      }));
  }

  it("whose file cannot be removed just now is removed with the next message that goes", () =>
    inPlace(async ({ directory, open }) => {
      let broken = true;
      const calls = faultyCalls((call) => {
        if (broken && (call === "fsync" || call === "unlink")) throw systemError("EIO");
      });
      const spool = await open({ calls });
      await assert.rejects(store(spool, big), SpoolError);
      broken = false;
      await store(spool, "small");
      assert.deepEqual(readdirSync(join(directory, "bodies")), []);
    }));

  it("asks the client to go on when a write fails, so that the refusal comes at the end", () =>
    inPlace(async ({ open }) => {
      const spool = await open({
        calls: faultyCalls((call) => {
          if (call === "write") throw systemError("EIO");
        }),
      });
      const incoming = spool.receive(spool.nextId());
      for (let i = 0; i < 40; i++) await incoming.write(Buffer.alloc(64 * 1024));
      incoming.abort();
    }));

  it("that a disk takes in small bites is stored whole", () =>
    inPlace(async ({ open }) => {
      const calls = faultyCalls(() => undefined);
      const spool = await open({
        calls: {
          ...calls,
          write: (fd, bytes, offset, length) =>
            calls.write(fd, bytes, offset, Math.min(length, 30_000)),
        },
      });
      await assertBytes(await store(spool, big), big);
    }));

  it("that a disk stops taking is refused, and not waited for", () =>
    inPlace(async ({ open }) => {
      const calls = faultyCalls(() => undefined);
      const spool = await open({
        calls: { ...calls, write: () => Promise.resolve({ bytesWritten: 0 }) },
      });
      await assert.rejects(store(spool, big), { full: true });
    }));
});
