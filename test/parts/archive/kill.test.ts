// The archive's process is killed while it indexes. Afterwards each file is in the index once, and in the manifest.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { RIGHT } from "../../config/configuration.ts";
import { Place } from "../../support/program.ts";

const MAIN = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));
const FILES = 600;

function placeWithMail(place: Place): string {
  const text = RIGHT.replace("[relay]\n", `[relay]\nspool_directory = "${place.directory}"\n`);
  const directory = join("mail", "example.com", "ann", "new");
  mkdirSync(join(place.directory, directory), { recursive: true });
  for (let n = 0; n < FILES; n++) {
    const body = `word${n} `.repeat(50);
    place.write(join(directory, `${n}.M1.host`), `Subject: message ${n}\n\n${body}\n`);
  }
  return place.write("routers.toml", `${text}[archive]\nstate = "state"\ndirectory = "mail"\n`);
}

function started(...args: string[]): ChildProcess {
  return spawn(process.execPath, [MAIN, "archive", ...args], { stdio: "ignore" });
}

async function until(child: ChildProcess, isTrue: () => boolean): Promise<void> {
  while (!isTrue() && child.exitCode === null) await sleep(2);
}

async function killed(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGKILL");
    await ended;
  }
}

/** "new/NAME" of each line of the manifest. */
function placesIn(state: string): string[] {
  const directory = join(state, "manifest");
  if (!existsSync(directory)) return [];
  return readdirSync(directory).flatMap(
    (day) => readFileSync(join(directory, day), "utf8").match(/new\/\d+\.M1\.host/g) ?? [],
  );
}

describe("a process that is killed", () => {
  test("while it fills the index, loses no file and indexes none twice", async () => {
    using place = new Place();
    const file = placeWithMail(place);
    const state = join(place.directory, "state");
    const config = ["--config", file];
    for (let kills = 0; kills < 4; kills++) {
      const before = placesIn(state).length;
      const child = spawn(process.execPath, [MAIN, "serve", "archive", ...config], {
        stdio: "ignore",
      });
      await until(child, () => placesIn(state).length > before || before >= FILES);
      await killed(child);
    }
    const last = await place.relayctl("archive", "reindex", ...config);
    assert.equal(last.stdout, `${FILES} messages in the index.\n`);
    const status = await place.relayctl("archive", "status", "--json", ...config);
    assert.partialDeepStrictEqual(JSON.parse(status.stdout), { messages: FILES, waiting: 0 });
    assert.equal(new Set(placesIn(state)).size, FILES);
    const verified = await place.relayctl("archive", "verify", ...config);
    assert.equal(verified.code, 0, verified.stdout);
  });

  test("while it makes the index again, leaves the old one in service", async () => {
    using place = new Place();
    const file = placeWithMail(place);
    const state = join(place.directory, "state");
    const config = ["--config", file];
    await place.relayctl("archive", "reindex", ...config);
    const building = join(state, "index.building-wal");
    const size = () => statSync(building, { throwIfNoEntry: false })?.size ?? 0;
    for (const grown of [1, 200_000]) {
      const child = started("reindex", ...config);
      await until(child, () => size() >= grown);
      await killed(child);
      const status = await place.relayctl("archive", "status", "--json", ...config);
      assert.partialDeepStrictEqual(JSON.parse(status.stdout), { messages: FILES });
    }
    const again = await place.relayctl("archive", "reindex", ...config);
    assert.equal(again.stdout, `${FILES} messages in the index.\n`);
    assert.deepEqual(
      readdirSync(state).filter((name) => name.includes("building")),
      [],
    );
    assert.equal(placesIn(state).length, FILES, "no second line for a file");
  });
});
