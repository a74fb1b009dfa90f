import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ServedSession, Sessions } from "../../../src/base/net/sessions.ts";
import { manualClock } from "../../support/clock.ts";

/** Sessions that write down what is asked of them. */
function setup() {
  const clock = manualClock();
  const calls: string[] = [];
  const errors: string[] = [];
  const sessions = new Sessions<ServedSession & { readonly name: string }>(
    clock,
    ({ name }, error) => errors.push(`${name}: ${String(error)}`),
  );
  const add = (name: string, watch: () => void = () => undefined) => {
    const session = {
      name,
      watch() {
        calls.push(`watch ${name}`);
        watch();
      },
      drain: () => void calls.push(`drain ${name}`),
      destroy() {
        calls.push(`destroy ${name}`);
        sessions.delete(session);
      },
    };
    sessions.add(session);
    return session;
  };
  return { clock, calls, errors, sessions, add };
}

const bug = () => {
  throw new Error("a bug");
};

describe("the sessions of a server", () => {
  test("are watched every second, while there are any", () => {
    const { clock, calls, sessions, add } = setup();
    const one = add("one");
    clock.advance(2500);
    sessions.delete(one);
    clock.advance(5000);
    assert.deepEqual(calls, ["watch one", "watch one"]);
    assert.equal(clock.pending, 0);
    add("two");
    clock.advance(1000);
    assert.equal(calls.at(-1), "watch two");
  });

  test("an error in one ends that one, and the others are watched on", () => {
    const { clock, calls, errors, add } = setup();
    add("bad", bug);
    add("good");
    clock.advance(2000);
    assert.deepEqual(calls, ["watch bad", "destroy bad", "watch good", "watch good"]);
    assert.deepEqual(errors, ["bad: Error: a bug"]);
  });

  test("at a stop those that are over in time are not cut off, the others are", async () => {
    const { clock, calls, sessions, add } = setup();
    const quick = add("quick");
    add("slow");
    const stopped = sessions.stop(3000);
    sessions.delete(quick);
    clock.advance(2000);
    assert.ok(!calls.includes("destroy slow"));
    clock.advance(1000);
    await stopped;
    assert.ok(calls.includes("destroy slow"));
    assert.ok(!calls.includes("destroy quick"));
    assert.equal(clock.pending, 0);
  });

  test("a stop without sessions ends at once", () => setup().sessions.stop(1000));
});
