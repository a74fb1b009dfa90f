import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { orderWarnings } from "../../src/config/order-warnings.ts";
import { directory, load, write } from "./configuration.ts";
import { workspaceConfig } from "../support/build.ts";

const HEAD = `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
[[listeners]]
address = "127.0.0.1:0"
`;

const WORKSPACE = workspaceConfig(25).replace("unseen = true\n", "");

/** The doubts of the founding configuration after a change; its place left out. */
async function warningsOf(change: (text: string) => string): Promise<string[]> {
  const text = change(HEAD + WORKSPACE);
  assert.ok(text.includes("[[routers]]"));
  const configuration = await load(write("order.toml", text));
  return orderWarnings(configuration).map((warning) =>
    warning.replace(`${directory}/order.toml: `, ""),
  );
}

/** The whole table of a router. */
function table(text: string, name: string): string {
  const found = text
    .split(/(?=^\[)/m)
    .find((part) => part.startsWith("[[routers]]") && part.includes(`name = "${name}"`));
  return found ?? assert.fail(name);
}

/** The router stands in front of the other. */
const before =
  (name: string, other: string, change = (own: string) => own) =>
  (text: string) => {
    const own = table(text, name);
    return text.replace(own, "").replace(table(text, other), `${change(own)}$&`);
  };

const HIDDEN = '"gmail_remote" takes mail before "gmail_users" can copy it: put the copy in front';

describe("the order of routers", () => {
  test("of the founding configuration leaves no warning", async () => {
    assert.deepEqual(await warningsOf((text) => text), []);
  });

  test("with the mail in front of its copy is doubted", async () => {
    assert.deepEqual(await warningsOf(before("gmail_remote", "gmail_users")), [
      `routers[1]: ${HIDDEN}`,
    ]);
  });

  for (const [what, change] of [
    ["by the name of a domain", (own: string) => own.replace('"+ours"', '["example.com"]')],
    ["for every local part", (own: string) => own.replace(/local_parts = .*\n/, "")],
    ["for everything", (own: string) => own.replace(/(?:domains|local_parts) = .*\n/g, "")],
    ["for everything but others", (own: string) => own.replace('"+ours"', '["!example.org"]')],
  ] as const) {
    test(`with the mail in front of its copy, ${what}, is doubted`, async () => {
      const warnings = await warningsOf(before("gmail_remote", "gmail_users", change));
      assert.equal(warnings[0], `routers[1]: ${HIDDEN}`);
    });
  }

  for (const [what, change] of [
    ["for one local part", (own: string) => own.replace('"lsearch:gmail_accounts"', '"alice"')],
    ["for another domain", (own: string) => own.replace('"+ours"', '"lists.example.com"')],
    ["for mail of one sender", (own: string) => `${own}sender_domains = "example.org"\n`],
    ["for relayed mail", (own: string) => `${own}relayed = true\n`],
    ["as a copy, too", (own: string) => `${own}unseen = true\n`],
  ] as const) {
    test(`with a router in front ${what} is not doubted`, async () => {
      const warnings = await warningsOf((text) => {
        const early = table(text, "gmail_remote").replace("gmail_remote", "early");
        return text.replace(table(text, "gmail_users"), `${change(early)}$&`);
      });
      assert.deepEqual(warnings, []);
    });
  }

  test("with the way to the world in front of the copy of sent mail is doubted", async () => {
    assert.deepEqual(await warningsOf(before("world", "gmail_outgoing")), [
      'routers[0]: "world" takes mail before "gmail_outgoing" can copy it: put the copy in front',
    ]);
  });
});

describe("mail for other domains that ends in a Maildir", () => {
  const ENDS =
    "routers[0]: mail for other domains ends in a Maildir here; with unseen = true it goes on";

  test("is doubted: one line is missing", async () => {
    const warnings = await warningsOf((text) =>
      text.replace('driver = "sender-match"', "$&\nunseen = false"),
    );
    assert.equal(warnings[0], ENDS);
  });

  test("is doubted for a domain that is not ours", async () => {
    const own = '[[routers]]\nname = "x"\ndriver = "accept"\ntransport = "gmail_local_delivery"\n';
    for (const [domains, expected] of [
      ['domains = ["partner.test", "example.com"]', [ENDS]],
      ['domains = ["!example.com"]', [ENDS]],
      ['domains = "+ours"\nlocal_parts = "robot"', []],
      ['domains = ["partner.test"]\nrelayed = false', []],
    ] as const) {
      const warnings = await warningsOf((text) =>
        text.replace("[[routers]]", `${own}${domains}\n[[routers]]`),
      );
      const ends = warnings.filter((warning) => warning === ENDS);
      assert.deepEqual(ends, expected, domains);
    }
  });
});
