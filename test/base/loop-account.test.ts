import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LoopAccount, LoopAccounts, SessionParty } from "../../src/base/loop-account.ts";
import { LoopShare } from "../../src/base/loop-share.ts";

/** Times that pass when they are told to. */
function manualTimes() {
  let now = 1000;
  let timers: { at: number; act: () => void }[] = [];
  return {
    now: () => now,
    after(milliseconds: number, act: () => void) {
      timers.push({ at: now + milliseconds, act });
    },
    pass(milliseconds: number) {
      now += milliseconds;
      const due = timers.filter(({ at }) => at <= now);
      timers = timers.filter(({ at }) => at > now);
      for (const { act } of due) act();
    },
  };
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe("one client's part of the event loop", () => {
  test("is a turn like every other client's, however many sessions it has", async () => {
    const times = manualTimes();
    const share = new LoopShare(times);
    const order: string[] = [];
    const many = new LoopAccount(true);
    for (let n = 0; n < 50; n++) {
      share.later(() => order.push("many"), new SessionParty(many));
      share.later(() => order.push("many"), new SessionParty(many));
    }
    share.later(() => order.push("one"), new SessionParty(new LoopAccount(true)));
    share.later(() => order.push("two"), new SessionParty(new LoopAccount(true)));
    await nextTurn();
    assert.deepEqual(order.slice(0, 4), ["many", "one", "two", "many"]);
    assert.equal(order.length, 102);
  });

  test("ends when it has sent no mail for it, and goes on after a rest; others do not wait", async () => {
    const times = manualTimes();
    const share = new LoopShare(times);
    const done: string[] = [];
    const neighbour = new SessionParty(new LoopAccount(true));
    share.do(() => undefined, neighbour);
    const account = new LoopAccount(true);
    const [one, other] = [new SessionParty(account), new SessionParty(account)];
    while (account.restOf(times.now()) === 0) one.charge(3, times.now());
    const rest = account.restOf(times.now());
    assert.ok(rest > 0 && rest <= 75, `${rest} ms for at most 3 ms of work`);
    share.do(() => done.push("one"), one);
    share.do(() => done.push("other"), other);
    share.do(() => done.push("neighbour"), neighbour);
    share.do(() => done.push("nobody's"));
    await nextTurn();
    await nextTurn();
    assert.deepEqual(done, ["neighbour", "nobody's"]);
    assert.equal(share.waitingOf(account), 2);
    times.pass(Math.ceil(rest));
    await nextTurn();
    assert.deepEqual(done.slice(2), ["one", "other"]);
    assert.equal(share.waitingOf(account), 0);
  });

  test("is measured: in the long run it is a twenty-fifth of the time", async () => {
    const times = manualTimes();
    const share = new LoopShare(times);
    const account = new LoopAccount(true);
    const parties = Array.from({ length: 25 }, () => new SessionParty(account));
    let worked = 0;
    const work = (party: SessionParty) => () => {
      times.pass(1);
      worked++;
      share.later(work(party), party);
    };
    for (const party of parties) share.later(work(party), party);
    const begun = times.now();
    const neighbour = new SessionParty(new LoopAccount(true));
    while (times.now() < begun + 20_000) {
      share.later(() => neighbour.forgive(times.now()), neighbour);
      await nextTurn();
      times.pass(5);
    }
    // Half a second ahead, then 4% of 20 seconds.
    assert.ok(worked > 1000 && worked < 1400, `${worked} ms`);
  });

  test("is all there is while nobody else is there, and soon after others have gone", async () => {
    const times = manualTimes();
    const share = new LoopShare(times);
    const party = new SessionParty(new LoopAccount(true));
    let done = 0;
    for (let n = 0; n < 1000; n++) {
      share.do(() => {
        times.pass(3);
        done++;
      }, party);
      await nextTurn();
    }
    assert.equal(done, 1000);

    share.do(() => undefined, new SessionParty(new LoopAccount(true)));
    share.do(() => done++, party);
    await nextTurn();
    assert.equal(done, 1000);
    for (let waited = 0; waited < 2000; waited += 100) {
      times.pass(100);
      await nextTurn();
    }
    assert.equal(done, 1001);
  });

  test("is not charged for mail that is accepted", () => {
    const one = new LoopAccount(true);
    const party = new SessionParty(one);
    for (let n = 0; n < 10_000; n++) {
      party.charge(1, 0);
      if (n % 100 === 0) party.forgive(0);
      assert.equal(one.restOf(0), 0);
    }
  });

  test("cannot be saved up, by accepted mail or by waiting", () => {
    const one = new LoopAccount(true);
    const party = new SessionParty(one);
    party.charge(3, 0);
    party.forgive(1_000_000);
    for (let n = 0; n < 167; n++) party.charge(3, 1_000_000);
    assert.ok(one.restOf(1_000_000) > 0);
  });

  test("is charged with no more than a piece can take: another process may have had the processor", () => {
    const times = manualTimes();
    const share = new LoopShare(times);
    const one = new LoopAccount(true);
    share.do(() => times.pass(10_000), new SessionParty(one));
    assert.equal(one.restOf(times.now()), 0);
  });

  test("has no bounds for a host of a relay rule", () => {
    const one = new LoopAccount(false);
    const party = new SessionParty(one);
    for (let n = 0; n < 1000; n++) party.charge(3, 0);
    assert.equal(one.restOf(0), 0);
  });
});

test("an account is that of an IPv4 address, or of a /64, and is kept while something is to be known of it", () => {
  const accounts = new LoopAccounts();
  const one = accounts.of("192.0.2.1", false);
  assert.equal(accounts.of("192.0.2.1", false), one);
  assert.notEqual(accounts.of("192.0.2.2", false), one);
  assert.notEqual(accounts.of("192.0.2.1", true), one);
  assert.equal(accounts.of("2001:db8::1", false), accounts.of("2001:db8::ffff", false));
  assert.notEqual(accounts.of("2001:db8::1", false), accounts.of("2001:db8:0:1::1", false));

  const party = new SessionParty(one);
  accounts.forgetUnused(0);
  assert.equal(accounts.of("192.0.2.1", false), one, "it has a session");
  party.charge(3, 0);
  party.end();
  accounts.forgetUnused(0);
  assert.equal(accounts.of("192.0.2.1", false), one, "it has not all its time");
  accounts.forgetUnused(1000);
  assert.notEqual(accounts.of("192.0.2.1", false), one);
});
