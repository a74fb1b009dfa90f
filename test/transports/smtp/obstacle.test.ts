import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Place } from "../../../src/mail/place.ts";
import { status } from "../../../src/mail/status.ts";
import { Obstacle } from "../../../transports/smtp/obstacle.ts";
import { NO_HOSTS } from "../../../transports/smtp/reasons.ts";

const place = (name: string): Place => ({ kind: "host", name, address: "192.0.2.1", port: 25 });
const wait = (notBefore: number) => ({ notBefore, waitsFor: { key: `until ${notBefore}` } });
const DOWN = status(451, "4.1", "Connection refused");
const BLOCKED = status(451, "4.1", "Waits for mx2");
const NEVER = status(550, "7.30", "REQUIRETLS support required");

describe("why no host has taken what is left", () => {
  it("no host at all is a reason", () => {
    const outcome = new Obstacle().outcome();
    assert.deepEqual(outcome, { kind: "deferred", status: NO_HOSTS, scope: "host" });
  });

  it("what was tried last is the reason, with the earliest time", () => {
    const obstacle = new Obstacle();
    for (const [name, time] of [
      ["mx1", 20],
      ["mx2", 10],
      ["mx3", 30],
    ] as const) {
      obstacle.enter(place(name));
      obstacle.fail(DOWN, "refused");
      obstacle.putOff(wait(time));
    }
    assert.deepEqual(obstacle.outcome(), {
      kind: "deferred",
      status: DOWN,
      scope: "host",
      place: place("mx3"),
      error: "refused",
      ...wait(10),
    });
  });

  it("a host that was passed over is no reason once another was tried", () => {
    const obstacle = new Obstacle();
    obstacle.enter(place("mx1"));
    obstacle.fail(DOWN, "refused");
    obstacle.passOver(place("mx2"), BLOCKED, wait(10));
    const outcome = obstacle.outcome();
    assert.equal(outcome.status, DOWN);
    assert.deepEqual(outcome.place, place("mx1"));
    assert.ok("notBefore" in outcome && outcome.notBefore === 10);
    assert.ok(!("untried" in outcome));
  });

  it("a policy that bars the next host is not what the host before it has said", () => {
    const obstacle = new Obstacle();
    obstacle.enter(place("mx1"));
    obstacle.fail(DOWN, "refused");
    const barred = status(451, "7.5", "No TLSA records of mx2");
    obstacle.bar(barred, "lookup");
    assert.deepEqual(obstacle.outcome(), {
      kind: "deferred",
      status: barred,
      scope: "host",
      error: "lookup",
    });
  });

  it("hosts that were only passed over leave the recipients untried", () => {
    const obstacle = new Obstacle();
    obstacle.bar(DOWN, "lookup");
    obstacle.passOver(place("mx2"), BLOCKED, wait(10));
    assert.deepEqual(obstacle.outcome(), {
      kind: "deferred",
      status: BLOCKED,
      scope: "host",
      place: place("mx2"),
      untried: true,
      ...wait(10),
    });
  });

  it("a host that may do better is a better reason than one that never will", () => {
    const obstacle = new Obstacle();
    obstacle.bar(NEVER, "tls_required");
    assert.equal(obstacle.outcome().kind, "failed");
    obstacle.fail(DOWN, "refused");
    obstacle.excludes(NEVER);
    assert.equal(obstacle.outcome().status, DOWN);
  });

  it("what is wrong with the message is no matter of hosts", () => {
    const obstacle = new Obstacle();
    obstacle.enter(place("mx1"));
    obstacle.putOff(wait(10));
    assert.deepEqual(obstacle.outcomeOfMessage(DOWN), {
      kind: "deferred",
      status: DOWN,
      scope: "message",
      place: place("mx1"),
    });
  });
});
