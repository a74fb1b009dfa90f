// Mail that comes in: what was taken is given back as it was.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SpoolError } from "../../../src/spool/spool.ts";
import {
  alice,
  bob,
  assertBytes,
  enter,
  idsOf,
  type InSpool,
  newMessage,
  stored,
  withoutBody,
} from "./place.ts";

const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
/** Engines may store bodies of these sizes in different ways. */
const SIZES = [0, 1, 9999, 65_535, 65_536, 65_537, 200_000, 262_143, 262_144, 262_145, 400_000];
const SMALL_AND_LARGE = [10, 100_000, 400_000];

export function describeIncoming(inSpool: InSpool): void {
  describe("mail that comes in", () => {
    describeBodies(inSpool);
    describeEnvelopes(inSpool);
    describeGivenUp(inSpool);
    describeIds(inSpool);
  });
}

function describeBodies(inSpool: InSpool): void {
  for (const size of SIZES) {
    it(
      `is ${size} bytes wherever it is read, after a restart too`,
      inSpool(async (place) => {
        const content = Buffer.alloc(size, ALL_BYTES);
        const message = await enter(place, { content });
        const { id } = message.envelope;
        assert.equal(message.envelope.size, size);
        await assertBytes(message, content);
        const spool = await place.again();
        const seen = await stored(place, id);
        const [taken] = await spool.take(place.clock.now(), 10);
        for (const one of [seen, taken]) {
          assert.ok(one);
          await assertBytes(one, content);
          assert.deepEqual([one.body.size, one.envelope.size], [size, size]);
        }
      }),
    );
  }

  for (const size of [10, 65_536, 65_537, 262_144, 262_145]) {
    it(
      `of ${size} bytes has the fields above it that were found out last`,
      inSpool(async (place) => {
        const head = "Authentication-Results: mx.example.com; none \xff\r\n";
        const content = Buffer.alloc(size, ALL_BYTES);
        const whole = Buffer.concat([Buffer.from(head, "latin1"), content]);
        const message = await enter(place, { content, envelope: { head } });
        const spool = await place.again();
        const [taken] = await spool.take(place.clock.now(), 10);
        for (const one of [message, taken, await stored(place, message.envelope.id)]) {
          assert.ok(one);
          await assertBytes(one, whole);
          assert.deepEqual([one.body.size, one.envelope.size], [whole.length, whole.length]);
        }
        const { active } = await place.look((view) => view.count({}));
        assert.deepEqual(active, { messages: 1, bytes: size });
      }),
    );
  }

  it(
    "is stored whole while a hundred others come in",
    inSpool(async (place) => {
      const sizes = Array.from({ length: 100 }, (_, index) => {
        return index % 10 === 0 ? (SIZES[index / 10] ?? index) : index;
      });
      const all = await Promise.all(
        sizes.map((size, index) => enter(place, { content: Buffer.alloc(size, `${index} `) })),
      );
      const taken = await place.spool.take(place.clock.now(), 1000);
      assert.deepEqual(idsOf(taken).toSorted(), idsOf(all).toSorted());
      for (const [index, { envelope }] of all.entries()) {
        const one = taken.find((message) => message.envelope.id === envelope.id);
        assert.ok(one);
        await assertBytes(one, Buffer.alloc(sizes[index] ?? -1, `${index} `));
      }
      assert.equal(await place.spool.count(), 100);
    }),
  );
}

const HOSTILE = [
  'it\'s "quoted" \\ back',
  "'; DROP TABLE messages; --",
  "line\r\nend\0nul",
  "Ünïcode ☃ \u{1F4E7}",
  "half \ud800 a pair",
  "__proto__",
  "%s {} $1 ?",
];

function describeEnvelopes(inSpool: InSpool): void {
  it(
    "keeps its envelope and its recipients in their order, after a restart too",
    inSpool(async (place) => {
      const recipients = [
        { mailbox: bob, notify: "SUCCESS,DELAY", orcpt: "rfc822;b+20b@b.test" },
        { mailbox: alice, notify: "NEVER" },
        { mailbox: alice },
      ];
      const client = { address: "2001:db8::1", helo: "[2001:db8::1]", basic: true } as const;
      const tls = { version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384", certificate: "3F:2A" };
      const message = await enter(place, {
        recipients,
        vouched: false,
        envelope: {
          sender: null,
          client: { ...client, tls },
          relayed: true,
          requireTls: true,
          tlsOptional: true,
          ret: "HDRS",
          envid: "x+2By",
          eightBit: false,
          smtputf8: true,
        },
      });
      const spool = await place.again();
      const seen = await stored(place, message.envelope.id);
      assert.ok(seen);
      assert.deepEqual(withoutBody(seen), withoutBody(message));
      const [taken] = await spool.take(place.clock.now(), 10);
      assert.deepEqual(taken?.recipients, message.recipients);
      assert.deepEqual(taken.envelope, message.envelope);
      assert.equal(taken.vouched, false);
    }),
  );

  for (const vouched of [true, false, undefined]) {
    it(
      `knows whether its sender is vouched for: ${vouched}`,
      inSpool(async (place) => {
        const given = vouched === undefined ? {} : { vouched };
        const { envelope } = await enter(place, given);
        assert.equal((await stored(place, envelope.id))?.vouched, vouched);
      }),
    );
  }

  it(
    "may have nobody to go to, or thousands",
    inSpool(async (place) => {
      const many = Array.from({ length: 3000 }, (_, index) => ({
        mailbox: { ...alice, address: `a${index}@example.com`, localPart: `a${index}` },
      }));
      for (const recipients of [[], many]) {
        const { envelope } = await enter(place, { recipients });
        const [taken] = await place.spool.take(place.clock.now(), 1);
        assert.equal(taken?.envelope.id, envelope.id);
        assert.deepEqual(
          taken.recipients.map(({ mailbox, position }) => [mailbox, position]),
          recipients.map(({ mailbox }, position) => [mailbox, position]),
        );
      }
    }),
  );

  it(
    "keeps what strangers write as they wrote it",
    inSpool(async (place) => {
      for (const text of HOSTILE) {
        const mailbox = { address: text, localPart: text, domain: text };
        const written = {
          recipients: [{ mailbox, notify: text, orcpt: text }],
          envelope: { sender: mailbox, client: { address: "", helo: text }, envid: text },
        };
        const message = await enter(place, written);
        const seen = await stored(place, message.envelope.id);
        assert.ok(seen);
        assert.deepEqual(withoutBody(seen), withoutBody(message));
      }
    }),
  );
}

function describeGivenUp(inSpool: InSpool): void {
  for (const size of SMALL_AND_LARGE) {
    it(
      `of ${size} bytes is not stored when it is given up`,
      inSpool(async ({ spool, clock }) => {
        const id = spool.nextId();
        const incoming = spool.receive(id);
        await incoming.write(Buffer.alloc(size));
        incoming.abort();
        await incoming.write(Buffer.from("y"));
        await assert.rejects(incoming.commit(newMessage(id, clock), false), SpoolError);
        assert.equal(await spool.count(), 0);
      }),
    );

    it(
      `of ${size} bytes stays when it is given up too late`,
      inSpool(async (place) => {
        const { spool, clock } = place;
        const id = spool.nextId();
        const incoming = spool.receive(id);
        const content = Buffer.alloc(size, ALL_BYTES);
        await incoming.write(content);
        await incoming.commit(newMessage(id, clock), false);
        incoming.abort();
        await spool.saveHint("x", undefined);
        await assert.rejects(incoming.commit(newMessage(id, clock), false), SpoolError);
        const [taken] = await spool.take(clock.now(), 10);
        assert.ok(taken);
        await assertBytes(taken, content);
      }),
    );

    it(
      `of ${size} bytes is refused with an id that is taken, and the first stays`,
      inSpool(async (place) => {
        const content = Buffer.alloc(size, ALL_BYTES);
        const { envelope } = await enter(place, { content });
        const again = { content: Buffer.alloc(size), envelope: { id: envelope.id } };
        await assert.rejects(enter(place, again), SpoolError);
        assert.equal(await place.spool.count(), 1);
        const [taken] = await place.spool.take(place.clock.now(), 10);
        assert.ok(taken);
        await assertBytes(taken, content);
      }),
    );
  }
}

function describeIds(inSpool: InSpool): void {
  it(
    "gets ids that rise, whatever the clock does, and sort by arrival",
    inSpool(async (place) => {
      const ids = [place.spool.nextId(), place.spool.nextId()];
      place.clock.step(-86_400_000);
      ids.push(place.spool.nextId());
      place.clock.step(2 * 86_400_000);
      ids.push((await enter(place)).envelope.id);
      place.clock.step(-86_400_000);
      const spool = await place.again();
      ids.push(spool.nextId(), spool.nextId());
      assert.deepEqual(ids, ids.toSorted());
      assert.equal(new Set(ids).size, ids.length);
      for (const id of ids) assert.match(id, /^[\da-z]{10}$/);
    }),
  );
}
