import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sections } from "../../src/config/sections.ts";
import { parts } from "../../src/parts.ts";
import { part } from "../../src/parts/part.ts";
import { heardLog, RunningParts } from "../../src/run/running-parts.ts";
import { memorySpool } from "../../src/spool/memory/memory.ts";
import { builtInWith } from "../../src/built-in.ts";
import { loadConfiguration } from "../../src/config/load.ts";
import { routerDrivers } from "../../routers/index.ts";
import { Rehearsal } from "../../src/route/rehearsal.ts";
import { transportDrivers } from "../../transports/index.ts";
import { load, RIGHT, write } from "../config/configuration.ts";
import { manualClock } from "../support/clock.ts";
import { fakeServices, recordingLog } from "../support/services.ts";

describe("the table of parts", () => {
  test("has each name once, and each table of the file once", () => {
    const names = parts.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    const tables = [
      ...Object.keys(sections),
      "routers",
      "transports",
      ...parts.flatMap((one) => Object.keys(one.sections)),
    ];
    assert.equal(new Set(tables).size, tables.length);
  });
});

describe("drivers of a part", () => {
  const accept = routerDrivers.get("accept");
  const discard = transportDrivers.get("discard");
  assert.ok(accept && discard);
  const bringing = (name: string) =>
    part({
      name,
      drivers: {
        routers: [{ ...accept, name: `${name}-router` }],
        transports: [{ ...discard, name: `${name}-transport` }],
      },
    });

  test("are those that routers.toml may name", async () => {
    const file = write(
      "drivers.toml",
      RIGHT.replace('driver = "accept"', 'driver = "own-router"').replace(
        'driver = "smtp"\nhosts = "aspmx.l.google.com"',
        'driver = "own-transport"',
      ),
    );
    const refused = await loadConfiguration(file, builtInWith([]));
    assert.ok("problems" in refused);
    const loaded = await loadConfiguration(file, builtInWith([bringing("own")]));
    assert.ok("configuration" in loaded, JSON.stringify(loaded));
    assert.equal(loaded.configuration.routers[0]?.driver.name, "own-router");
    assert.equal(loaded.configuration.transports.get("gmail")?.driver.name, "own-transport");
  });

  test("have names that no other driver has", () => {
    assert.throws(() => builtInWith([bringing("own"), bringing("own")]), {
      message: "two drivers have the name own-router",
    });
    const another = part({ name: "another", drivers: { transports: [discard] } });
    assert.throws(() => builtInWith([another]), { message: /two drivers have the name/ });
  });
});

const means = {
  clock: manualClock(),
  log: recordingLog(),
  hostname: "mx.example.com",
  spoolDirectory: "/nowhere",
  readOnly: false,
};

test("an event reaches the parts that want to hear of it, and an error there reaches the log", () => {
  const log = recordingLog();
  const heard: string[] = [];
  const listening = part({
    name: "listening",
    start: () => ({ hears: { alarm: ({ what }) => void heard.push(what) } }),
  });
  const broken = part({
    name: "broken",
    start: () => ({
      hears: {
        alarm: () => {
          throw new Error("broken");
        },
      },
    }),
  });
  const running = new RunningParts(means, [listening, broken]);
  const ears = heardLog(log, () => running);
  ears.event("alarm", { what: "fire" });
  ears.event("relay.warning", { what: "smoke" });
  assert.deepEqual(heard, ["fire"]);
  assert.deepEqual(
    log.events.map(({ name }) => name),
    ["alarm", "relay.error", "relay.warning"],
  );
});

describe("parts that run", () => {
  test("offer services to those behind them, and close them all", async () => {
    const { mtaSts } = fakeServices();
    const tlsSessions = { ended: () => undefined };
    const seen: unknown[] = [];
    const table = [
      part({
        name: "first",
        start: () => ({
          offer: () => ({
            services: { tlsSessions },
            close: () => Promise.resolve(void seen.push("closed")),
          }),
        }),
      }),
      part({
        name: "second",
        start: () => ({
          offer(_, services) {
            seen.push(services);
            return { services: { mtaSts } };
          },
        }),
      }),
      part({ name: "silent" }),
    ];
    const running = new RunningParts(means, table);
    const { resolver } = fakeServices();
    const offer = running.offer({ resolver, https: { port: 443, isIgnored: () => false } });
    assert.deepEqual(offer.services, { tlsSessions, mtaSts });
    assert.deepEqual(seen, [{ tlsSessions }]);
    await offer.close();
    assert.deepEqual(seen, [{ tlsSessions }, "closed"]);
  });

  test("are told of each configuration, with what stands in their tables and where lists for the postmaster go", async () => {
    const configuration = await load(write("routers.toml", RIGHT));
    const seen: unknown[] = [];
    const told = part({
      name: "told",
      start: () => ({
        begin: ({ sections: own, postmaster, hostname }) =>
          void seen.push(["begin", own, postmaster.address, hostname]),
        follow: ({ hostname }) => void seen.push(["follow", hostname]),
        close: () => Promise.resolve(void seen.push(["close"])),
      }),
    });
    const running = new RunningParts(means, [told]);
    const { resolver } = fakeServices();
    const outside = { resolver, https: { port: 443, isIgnored: () => false } };
    const mail = {
      outbox: {
        post: () => Promise.reject(new Error("no")),
        write: () => Promise.reject(new Error("no")),
      },
      spool: memorySpool(manualClock()),
      holds: { holdTransports: () => undefined, rehearse: () => undefined },
      rehearsal: new Rehearsal(),
      view: () => Promise.resolve(undefined),
      wake: () => undefined,
    };
    await running.begin(configuration, outside, mail);
    running.follow(
      { ...configuration, relay: { ...configuration.relay, hostname: "b.test" } },
      outside,
    );
    await running.close();
    assert.deepEqual(seen, [
      ["begin", configuration.parts, "postmaster@example.com", configuration.relay.hostname],
      ["follow", "b.test"],
      ["close"],
    ]);
  });
});
