// The queue while no relay runs: what orders need, and what is left when it cannot be opened.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import type { Configuration } from "../../src/config/configuration.ts";
import { openOfflineQueue } from "../../src/run/offline-queue.ts";
import { spoolEngine } from "../../src/run/spool-engine.ts";
import { SpoolInUse } from "../../src/spool/spool.ts";
import { systemClock } from "../../src/base/clock.ts";
import { answeringServer } from "../support/answering.ts";
import { workspaceConfig } from "../support/build.ts";
import { startTestRelay } from "../support/relay.ts";
import { recordingLog } from "../support/services.ts";
import { send } from "../support/transaction.ts";

let directory: string;
let configuration: Configuration;
let id: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "unseen-offline-"));
  await using host = await answeringServer(() => "452 4.2.2 full");
  await using relay = await startTestRelay({
    config: workspaceConfig(host.port),
    files: { gmail_accounts: "alice\n" },
    directory,
  });
  ({ configuration } = relay);
  using client = await relay.connect();
  await send(client, "<zoe@example.net>", ["<alice@example.com>"]);
  const [deferred] = await relay.happened("delivery.deferred");
  id = deferred?.id ?? "";
});

after(() => rm(directory, { recursive: true }));

const place = () => ({ spoolDirectory: configuration.relay.spool_directory, log: recordingLog() });

const open = () =>
  spoolEngine.open(configuration.relay.spool_directory, {
    clock: systemClock,
    log: recordingLog(),
  });

async function states(): Promise<readonly string[]> {
  await using view = await spoolEngine.view(configuration.relay.spool_directory);
  const all = await Array.fromAsync(view?.messages({}, assert.fail) ?? []);
  return all.flat().map(({ state }) => state);
}

suite("the queue while no relay runs", () => {
  test("is not created where no relay has been", async () => {
    const spoolDirectory = join(directory, "elsewhere");
    const file = { configuration };
    assert.equal(await openOfflineQueue({ ...place(), spoolDirectory, file }), undefined);
    assert.equal(existsSync(spoolDirectory), false);
  });

  test("with mistakes in the file it takes orders that need no more than the spool, and harms none by the others", async () => {
    const wrong = new Error("routers.toml:1: a mistake");
    const queue = await openOfflineQueue({ ...place(), file: { wrong } });
    assert.ok(queue);
    await assert.rejects(queue.carryOut({ action: "bounce", ids: [id] }), wrong);
    assert.deepEqual((await queue.carryOut({ action: "freeze", ids: [id] })).changes, [
      { id, result: "done" },
    ]);
    await queue.carryOut({ action: "thaw", ids: [id] });
    await queue.close();
    assert.deepEqual(await states(), ["queued"]);
  });

  test("is closed again when a later step fails, so that a relay can start", async () => {
    const broken = {
      ...configuration,
      routers: configuration.routers.map((router) => ({
        ...router,
        driver: {
          ...router.driver,
          create() {
            throw new Error("a driver's bug");
          },
        },
      })),
    };
    await assert.rejects(
      openOfflineQueue({ ...place(), file: { configuration: broken } }),
      /a driver's bug/,
    );
    const spool = await open();
    await assert.rejects(openOfflineQueue({ ...place(), file: { configuration } }), SpoolInUse);
    await spool.close();
    assert.deepEqual(await states(), ["queued"]);
  });

  test("gives a message up: of a sender without a proof it leaves the queue without a bounce, for the postmaster's list", async () => {
    const queue = await openOfflineQueue({ ...place(), file: { configuration } });
    assert.ok(queue);
    const { changes } = await queue.carryOut({ action: "bounce", ids: [id] });
    assert.deepEqual(changes, [{ id, result: "done" }]);
    await queue.close();
    assert.deepEqual(await states(), []);
    const spool = await open();
    assert.deepEqual(
      (await spool.listed()).entries.map(({ recipient }) => recipient),
      ["alice@example.com"],
    );
    await spool.close();
  });
});
