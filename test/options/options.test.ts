// The option kit: what each kind of option makes of a value, and how it says that the value is wrong.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { domainList, hostList, localPartList } from "../../src/options/list-types.ts";
import { parseListenAddress } from "../../src/base/net/listen-address.ts";
import * as kit from "../../src/options/options.ts";
import type { Option, Problem } from "../../src/options/options.ts";

function read<T>(option: Option<T>, value: unknown) {
  const problems: Problem[] = [];
  const result = option.read(value, "x", problems);
  return problems.length === 0 ? result : problems.map((one) => `${one.path}: ${one.message}`);
}

const DOC = "A doc.";
const DURATION = 'x: must be a duration like "90s", "15m", "2h" or "4d", not';
const SIZE = 'x: must be a size like "64K" or "50M", not';
const MODE = 'x: must be an octal mode like "0600", not';

const cases: Record<string, [Option<unknown>, [value: unknown, result: unknown][]]> = {
  text: [
    kit.text(DOC),
    [
      ["a", "a"],
      ["", ["x: must not be empty"]],
      [1, ["x: must be a text, not 1"]],
      [Infinity, ["x: must be a text, not Infinity"]],
      [{}, ["x: must be a text, not a table"]],
      [new Date(0), ["x: must be a text, not a date"]],
    ],
  ],
  flag: [
    kit.flag(DOC),
    [
      [false, false],
      ["yes", ['x: must be true or false, not the text "yes"']],
    ],
  ],
  integer: [
    kit.integer(DOC, 1, 5),
    [
      [5, 5],
      [6, ["x: must be a whole number, from 1 to 5, not 6"]],
      [1.5, ["x: must be a whole number, from 1 to 5, not 1.5"]],
    ],
  ],
  duration: [
    kit.duration(DOC),
    [
      ["90s", 90_000],
      ["1h30m", 5_400_000],
      ["4d", 345_600_000],
      ["0s", 0],
      ["", [`${DURATION} the text ""`]],
      ["5", [`${DURATION} the text "5"`]],
      ["5 m", [`${DURATION} the text "5 m"`]],
      [5, [`${DURATION} 5`]],
    ],
  ],
  durations: [
    kit.durations(DOC),
    [
      [
        ["4h", "24h"],
        [14_400_000, 86_400_000],
      ],
      ["24h", [86_400_000]],
      [[], []],
      [["24h", "4h"], ["x: must grow from item to item, from above 0"]],
      [["1y"], [31_536_000_000]],
      [["1x"], [`${DURATION} the text "1x"`]],
    ],
  ],
  size: [
    kit.size(DOC),
    [
      ["1M", 1_048_576],
      ["2048", 2048],
      ["64k", [`${SIZE} the text "64k"`]],
      [1024, [`${SIZE} 1024`]],
    ],
  ],
  fileMode: [
    kit.fileMode(DOC),
    [
      ["0600", 0o600],
      ["640", 0o640],
      ["0888", [`${MODE} the text "0888"`]],
      [600, [`${MODE} 600`]],
    ],
  ],
  oneOf: [
    kit.oneOf(DOC, ["none", "required"]),
    [
      ["none", "none"],
      [
        "requierd",
        ['x: must be "none" or "required", not the text "requierd", did you mean "required"?'],
      ],
      [true, ['x: must be "none" or "required", not true']],
    ],
  ],
  list: [
    kit.list(DOC, (item) => (item.startsWith("b") ? "begins with b" : undefined)),
    [
      ["a", ["a"]],
      [
        ["a", "c"],
        ["a", "c"],
      ],
      [[], []],
      ["b", ['x: "b": begins with b']],
      [
        ["a", "b", 3],
        ['x[1]: "b": begins with b', "x[2]: must be a text, not 3"],
      ],
      [3, ["x: must be a list of texts, not 3"]],
    ],
  ],
  domainList: [
    domainList(DOC),
    [
      [
        ["!+ours", "*.Example.com", "*", "!x.org", "lsearch:/etc/d"],
        ["!+ours", "*.Example.com", "*", "!x.org", "lsearch:/etc/d"],
      ],
      ["bob@example.com", ['x: "bob@example.com": is an address; a domain is wanted here']],
      ["exa mple", ['x: "exa mple": is not one item; several are written ["one", "two"]']],
      ["!", ['x: "!": is no domain']],
      ["+", ['x: "+": names no list']],
      ["bücher.example", ['x: "bücher.example": must be written as "xn--bcher-kva.example"']],
      ["lsearch; /etc/d", ['x: "lsearch; /etc/d": must be written as "lsearch:/etc/d"']],
    ],
  ],
  localPartList: [
    localPartList(DOC),
    [
      [
        ["bob", "!lsearch:a"],
        ["bob", "!lsearch:a"],
      ],
      ["bob@x", ['x: "bob@x": is an address; what stands before the "@" is wanted here']],
      ["+ours", ['x: "+ours": cannot be the name of a list: there are none of local parts']],
      ["", ['x: "": is empty']],
    ],
  ],
  hostList: [
    hostList(DOC),
    [
      [
        ["192.0.2.0/24", "2001:db8::1", "!+other", "spf:example.com"],
        ["192.0.2.0/24", "2001:db8::1", "!+other", "spf:example.com"],
      ],
      [
        ["192.0.2.0/33", "256.0.0.1"],
        [
          'x[0]: "192.0.2.0/33": has no valid prefix length after the / (0 to 32)',
          'x[1]: "256.0.0.1": must be an address, a CIDR like "192.0.2.0/24", "spf:DOMAIN" or "+name"',
        ],
      ],
    ],
  ],
};

for (const [name, [option, table]] of Object.entries(cases)) {
  describe(`an option of the kind ${name}`, () => {
    for (const [value, result] of table) {
      test(`makes of ${JSON.stringify(value)}: ${JSON.stringify(result)}`, () => {
        assert.deepEqual(read(option, value), result);
      });
    }
  });
}

test("a listener's address is one address of either family, and a port", () => {
  for (const [written, host, port] of [
    ["0.0.0.0:25", "0.0.0.0", 25],
    ["[::1]:0", "::1", 0],
  ] as const) {
    assert.deepEqual(parseListenAddress(written), { host, port, written });
  }
  for (const wrong of [
    "25",
    ":25",
    "::1:25",
    "localhost:25",
    "[1.2.3.4]:25",
    "1.2.3:25",
    "1.2.3.4:70000",
    "",
  ]) {
    assert.equal(parseListenAddress(wrong), undefined, wrong);
  }
});

test("a default is read as if it stood in the file, and shown as it would stand there", () => {
  const option = kit.withDefault(kit.durations(DOC), ["4h", "24h"]);
  assert.deepEqual(option.fallback, [14_400_000, 86_400_000]);
  assert.equal(option.shown, '["4h", "24h"]');
  assert.throws(() => kit.withDefault(kit.size(DOC), "much"), /wrong default: must be a size/);
});

test("a table reports every wrong, missing and unknown option at once", () => {
  const table = kit.options({
    port: kit.integer(DOC, 1, 9),
    name: kit.text(DOC),
    tls: kit.optional(kit.flag(DOC)),
  });
  const problems: Problem[] = [];
  assert.equal(table.read({ port: 10, tsl: true }, "t", problems), undefined);
  assert.deepEqual(problems, [
    { path: "t.tsl", message: 'unknown option, did you mean "tls"?' },
    { path: "t.port", message: "must be a whole number, from 1 to 9, not 10" },
    { path: "t.name", message: "is missing (text)" },
  ]);
});

test("a word that is far from every known one gets no suggestion", () => {
  assert.equal(kit.suggestion("hsots", ["hosts", "port"]), ', did you mean "hosts"?');
  assert.equal(kit.suggestion("banana", ["hosts", "port"]), "");
});
