import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RIGHT } from "../../config/configuration.ts";
import { Place } from "../../support/program.ts";
import { freePort, startRelayProcess } from "../../support/relay-process.ts";
import { FakeServer, Lines } from "./proxied.ts";

describe("relayctl serve", () => {
  test("hands clients to the process of the proxies", async () => {
    await using server = await FakeServer.start(async (peer) => {
      peer.send("+OK ready\r\n");
      for (;;) peer.send(`+OK ${await peer.line()}\r\n`);
    });
    using place = new Place();
    const port = await freePort();
    const file = place.write(
      "routers.toml",
      `${RIGHT.replace("[relay]\n", `[relay]\nspool_directory = "${place.directory}/spool"\n`).replace("127.0.0.1:2525", "127.0.0.1:0")}
[[proxies]]
name = "pop"
protocol = "pop3"
address = "127.0.0.1:${port}"
server = "${server.at}"
`,
    );
    const relay = await startRelayProcess(file);
    try {
      const client = await Lines.open(port);
      assert.equal(await client.line(), "+OK ready");
      assert.equal(await client.ask("USER alice"), "+OK USER alice");
      assert.equal(await client.ask("PASS secret"), "+OK PASS secret");
      client.destroy();
      assert.doesNotMatch(relay.log(), /secret/);
    } finally {
      await relay.kill("SIGTERM");
    }
  });
});
