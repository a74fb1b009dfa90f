import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { RIGHT } from "../../config/configuration.ts";
import { Place } from "../../support/program.ts";

const MAIN = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));

describe("relayctl serve archive", () => {
  test("answers relayctl at its socket, and leaves nothing locked after SIGKILL", async () => {
    using place = new Place();
    const text = RIGHT.replace("[relay]\n", `[relay]\nspool_directory = "${place.directory}"\n`);
    const table = `[archive]\nstate = "state"\ndirectory = "mail"\n`;
    const file = place.write("routers.toml", `${text}${table}`);
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      const child = spawn(process.execPath, [MAIN, "serve", "archive", "--config", file], {
        stdio: ["ignore", "ignore", "pipe"],
      });
      const ended = once(child, "exit");
      let said = "";
      while (!said.includes("ready")) said += String(await once(child.stderr, "data"));
      assert.ok(existsSync(join(place.directory, "archive.sock")));
      const { code, stdout } = await place.relayctl(
        "archive",
        "status",
        "--json",
        "--config",
        file,
      );
      assert.equal(code, 0);
      assert.equal(JSON.parse(stdout).state, join(place.directory, "state"));
      child.kill(signal);
      await ended;
    }
    assert.equal(existsSync(join(place.directory, "archive.sock")), false);
  });

  test("says what is missing without [archive]", async () => {
    using place = new Place();
    const file = place.write("routers.toml", RIGHT);
    const { code, stderr } = await place.relayctl("archive", "status", "--config", file);
    assert.deepEqual(
      [code, /there is no archive: add the table \[archive\]/.test(stderr)],
      [78, true],
    );
  });
});
