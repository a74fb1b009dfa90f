// A relay that cannot start leaves nothing behind: no port, no lock on its spool.

import assert from "node:assert/strict";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { workspaceConfig } from "../support/build.ts";
import { startTestRelay } from "../support/relay.ts";
import { freePort } from "../support/relay-process.ts";
import { Wire } from "../support/wire.ts";

const listener = (port: number) => `
[[listeners]]
address = "127.0.0.1:${port}"
`;

test("when one port is in use, the others are free again, and the next start succeeds", async () => {
  const inTheWay = createServer();
  const [taken, free] = [await freePort(), await freePort()];
  inTheWay.listen(taken, "127.0.0.1");
  await once(inTheWay, "listening");
  const directory = await mkdtemp(join(tmpdir(), "unseen-start-"));
  const config = `${listener(free)}${listener(taken)}${workspaceConfig(1)}`;
  const files = { gmail_accounts: "alice\n" };
  await assert.rejects(startTestRelay({ config, files, directory }), /EADDRINUSE/);
  await assert.rejects(Wire.open(free), /ECONNREFUSED/);

  inTheWay.close();
  await once(inTheWay, "close");
  const relay = await startTestRelay({ config, files, directory });
  using client = await relay.connect();
  assert.match(await client.ask("QUIT"), /^221 /);
  await relay[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

test("when the spool is in use, the ports are free again", async () => {
  const free = await freePort();
  await using first = await startTestRelay({ config: workspaceConfig(1) });
  const { directory } = first;
  const config = listener(free) + workspaceConfig(1);
  await assert.rejects(startTestRelay({ config, directory }), /another relay is running/);
  await assert.rejects(Wire.open(free), /ECONNREFUSED/);
});
