// TOML text to tables, and the lines of everything in it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { join } from "../../src/options/options.ts";
import { parseToml } from "../../src/config/toml.ts";
import { isTable } from "../../src/base/table.ts";

function document(text: string) {
  const parsed = parseToml(Buffer.from(text));
  assert.ok("document" in parsed, JSON.stringify(parsed));
  return parsed.document;
}

function problem(bytes: string | Buffer) {
  const parsed = parseToml(Buffer.from(bytes));
  assert.ok("problem" in parsed, "the text was read");
  return parsed.problem;
}

/** Every path of a value, except those inside a value that TOML has no tables for. */
function* pathsOf(value: unknown, path: string): Generator<string> {
  if (path !== "") yield path;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* pathsOf(item, `${path}[${index}]`);
  } else if (isTable(value)) {
    for (const [key, item] of Object.entries(value)) yield* pathsOf(item, join(path, key));
  }
}

describe("the line of a path", () => {
  // Each line that holds a path ends in a comment with that path; with several, separated by blanks.
  const text = String.raw`[relay]                       #@ relay
hostname = "a # not a comment"   #@ relay.hostname
"quoted \" key" = 1
text = """
[not.a.header]                # not a comment
hostname = "x" \""" ""quoted""""
after = '''
[[routers]]
''it''s''''
dotted.key.here = 1           #@ relay.dotted relay.dotted.key relay.dotted.key.here
empty = ""
triple = """"""
last = 2                      #@ relay.last

[[routers]]                   #@ routers routers[0]
driver = "a"                  #@ routers[0].driver
[[routers]]                   #@ routers[1]
driver = 'b\'                 #@ routers[1].driver
domains = [                   #@ routers[1].domains
  "a",                        #@ routers[1].domains[0]
  # "]",
  "]", "c",                   #@ routers[1].domains[1] routers[1].domains[2]
  ["d",                       #@ routers[1].domains[3] routers[1].domains[3][0]
   { x = 1 }],                #@ routers[1].domains[3][1] routers[1].domains[3][1].x
]
[routers.deep]                #@ routers[1].deep
x = { y = { z = 1,            #@ routers[1].deep.x routers[1].deep.x.y routers[1].deep.x.y.z
  w = 1 }, v = "}" }          #@ routers[1].deep.x.y.w routers[1].deep.x.v
[[gate.relay]]                #@ gate gate.relay gate.relay[0]
hosts = "+a"                  #@ gate.relay[0].hosts
[[gate.relay]]                #@ gate.relay[1]
proof = { dkim = "+ours", header = "X: y" } #@ gate.relay[1].proof gate.relay[1].proof.dkim
when = 1979-05-27T07:32:00Z   #@ gate.relay[1].when
[  transports . "a b"  ]      #@ transports transports.a b
d = 1                         #@ transports.a b.d
`;
  for (const [name, ends] of Object.entries({ LF: "\n", CRLF: "\r\n" })) {
    test(`is the one on which it is written first (${name})`, () => {
      const { positions } = document(text.replaceAll("\n", ends));
      let checked = 0;
      for (const [index, line] of text.split("\n").entries()) {
        for (const path of line
          .split("#@")[1]
          ?.trim()
          .split(/ (?!b)/) ?? []) {
          assert.equal(positions.line(path), index + 1, path);
          checked++;
        }
      }
      assert.equal(checked, 36);
    });
  }

  test("is known for everything that the parser finds", () => {
    const { root, positions } = document(text);
    const lines = text.split("\n");
    for (const path of pathsOf(root, "")) {
      const last = /[^.[\]]+\]?$/.exec(path)?.[0] ?? "";
      if (/^\d+\]$/.test(last)) continue;
      assert.ok(lines[positions.line(path) - 1]?.includes(last.slice(0, 6)), path);
    }
  });

  test("of something that is not there is the line of what is around it", () => {
    const { positions } = document('\n[relay]\nhostname = "x"\n');
    assert.equal(positions.line("relay.spool_directory"), 2);
    assert.equal(positions.line("relay.hostname[3].x"), 3);
    assert.equal(positions.line("listeners"), 1);
  });
});

test("a byte order mark does no harm", () => {
  const { root, positions } = document("\uFEFFa = 1\n");
  assert.equal(root["a"], 1);
  assert.equal(positions.line("a"), 1);
});

test("a huge file of strings is indexed in linear time", { timeout: 5000 }, () => {
  const line = `a = ["${'\\"#['.repeat(50)}", '''x''', """${"y\n".repeat(20)}"""]\n`;
  const text = Array.from({ length: 2000 }, (_, index) => `[t${index}]\n${line}`).join("");
  const { positions } = document(text);
  assert.equal(positions.line("t1999.a[2]"), 1999 * 22 + 2);
});

describe("a text that is no TOML", () => {
  test("is a problem with its line and what was found there", () => {
    assert.deepEqual(problem("a = 1\nb = \n"), {
      line: 2,
      path: "",
      message:
        "syntax: the end of the line in column 5 where a value should be; a text stands in quotes",
    });
    assert.deepEqual(problem("a = 1\nb = yes\n"), {
      line: 2,
      path: "",
      message: 'syntax: "y" in column 5 where a value should be; a text stands in quotes',
    });
    assert.deepEqual(problem('a = "x'), {
      line: 1,
      path: "",
      message:
        "syntax: the end of the file in column 7 is not expected; is a quote missing before it?",
    });
    assert.deepEqual(problem("a = 1 b = 2"), {
      line: 1,
      path: "",
      message: 'syntax: "b" in column 7 is not expected',
    });
  });

  test("because of a key that stands twice names the key", () => {
    const message = "stands here twice";
    assert.deepEqual(problem("a = 1\nb.c = 2\nb.c = 3\n"), { line: 3, path: "b.c", message });
    assert.deepEqual(problem("[x]\n\n[x]\n"), { line: 3, path: "x", message });
  });

  test("because a number is too big says so", () => {
    const { line, message } = problem("\na = 99999999999999999\n");
    assert.equal(line, 2);
    assert.match(message, /99999999999999999/);
  });

  test("because it is not UTF-8 names the line", () => {
    assert.deepEqual(problem(Buffer.from('a = 1\nb = "\xff"\n', "latin1")), {
      line: 2,
      path: "",
      message: "not UTF-8 text",
    });
    assert.equal(problem(Buffer.from([0x61, 0xc3])).message, "not UTF-8 text");
  });
});
