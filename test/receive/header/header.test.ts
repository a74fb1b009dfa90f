import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HeaderBudget } from "../../../src/receive/header/header-budget.ts";
import { HeaderReader } from "../../../src/receive/header/header.ts";

const K = 1024;
const TEXT = "Received: one\r\nTo: b\r\n c\r\nreceived : two\r\n\r\nReceived: body\r\n\r\n";
const LENGTH = TEXT.indexOf("\r\n\r\n") + 2;

/** What is behind the section. */
function read(header: HeaderReader, pieces: readonly string[]): string {
  return pieces.map((piece) => header.read(Buffer.from(piece)).toString()).join("");
}

const budget = () => new HeaderBudget(256 * K, 500 * K);
const filler = (octets: number) => `X-Filler: ${"x".repeat(88)}\r\n`.repeat(octets / 100);

/** Why nothing of the section is held. */
const unheld = ({ section }: HeaderReader): string =>
  typeof section?.held === "string" ? section.held : assert.fail("it is held, or goes on");

describe("a header section", () => {
  test("cut at every octet, has the same end, fields and hops, and the same body behind it", () => {
    for (let cut = 0; cut <= TEXT.length; cut++) {
      const header = new HeaderReader(budget());
      assert.equal(read(header, [TEXT.slice(0, cut), TEXT.slice(cut)]), TEXT.slice(LENGTH + 2));
      assert.deepEqual([header.length, header.hops, header.section?.hops], [LENGTH, 2, 2]);
      const held = header.section?.held;
      assert.ok(typeof held === "object");
      assert.equal(held.bytes.toString(), TEXT.slice(0, LENGTH));
      const fields = held.fields?.map(({ name, value }) => [name, value]);
      const wanted = [
        ["received", "one"],
        ["to", "b c"],
        ["received", "two"],
      ];
      assert.deepEqual(fields, wanted, `cut at ${cut}`);
    }
  });

  test("that is not over has no section, until the message has ended", () => {
    const header = new HeaderReader(budget());
    assert.equal(read(header, ["To: b\r\n", "From: "]), "");
    const isOver = () => header.section !== undefined;
    assert.equal(isOver(), false);
    header.end();
    const held = header.section?.held;
    assert.ok(typeof held === "object");
    assert.equal(held.bytes.toString(), "To: b\r\nFrom: ");
    assert.equal(header.length, undefined, "there is no empty line");
  });

  test("beyond 1 MiB is over there", () => {
    const header = new HeaderReader();
    read(header, [filler(1000 * K)]);
    assert.deepEqual([header.isTooLong, header.section], [false, undefined]);
    read(header, [filler(100 * K)]);
    assert.equal(header.isTooLong, true);
    assert.equal(read(header, ["\r\nbody"]), "\r\nbody");
  });
});

describe("of a header section", () => {
  test("nothing is held without a budget", () => {
    const header = new HeaderReader();
    read(header, [TEXT]);
    assert.deepEqual(header.section, { hops: 2, held: "unwanted" });
  });

  test("nothing is held that is longer than what one message gets", () => {
    const shared = budget();
    const header = new HeaderReader(shared);
    read(header, [filler(200 * K)]);
    assert.ok(shared.held >= 200_000 && shared.held <= 256 * K, `${shared.held}`);
    read(header, [filler(100 * K)]);
    assert.equal(shared.held, 0);
    read(header, ["\r\n"]);
    assert.equal(unheld(header), "too-long");
  });

  test("nothing more is held when others hold all there is, but for a short one", () => {
    const shared = budget();
    const [first, second, short] = [1, 2, 3].map(() => new HeaderReader(shared));
    assert.ok(first && second && short);
    read(first, [filler(200 * K)]);
    const before = shared.held;
    read(second, [filler(200 * K)]);
    read(second, ["X: y\r\n\r\n"]);
    assert.equal(unheld(second), "crowded-out");
    assert.equal(shared.held, before);
    read(short, [`${filler(5000)}\r\n`]);
    assert.equal(typeof short.section?.held, "object");
  });

  test("what is held is counted until it is released, and not held again", () => {
    const shared = budget();
    const header = new HeaderReader(shared);
    read(header, [TEXT]);
    assert.ok(shared.held > 0);
    header.release();
    assert.deepEqual([shared.held, header.section], [0, undefined]);
    assert.equal(read(header, [TEXT]), TEXT, "all of it is body");

    const early = new HeaderReader(shared);
    read(early, [filler(100 * K)]);
    early.release();
    assert.equal(read(early, ["\r\nbody"]), "body");
    assert.deepEqual([shared.held, unheld(early)], [0, "unwanted"]);
  });
});
