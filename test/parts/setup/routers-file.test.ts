// The routers.toml that relayctl init writes, and its short form in etc/: both load without a warning, and say the same.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { isTable } from "../../../src/base/table.ts";
import { parseToml } from "../../../src/config/toml.ts";
import { warningsOf } from "../../../src/config/warnings.ts";
import { parseLsearch } from "../../../src/lists/lsearch-text.ts";
import {
  accountsFile,
  type RoutersFile,
  routersFile,
} from "../../../src/parts/setup/routers-file.ts";
import { COMMENTED, directory, load, write } from "../../config/configuration.ts";
import { testCertificate } from "../../support/certificates.ts";

const SHORT = readFileSync(new URL("../../../etc/routers-short.toml", import.meta.url), "utf8");
const SECRET = "5ec2e7".repeat(8);
const ANSWERS: RoutersFile = {
  domains: ["example.com"],
  hostname: "mx.example.com",
  addresses: ["192.0.2.25"],
  spool: "/var/spool/unseen",
  mail: "/var/mail/unseen",
  user: "unseen",
  secret: SECRET,
};

/** The files that both name, beside the configuration. */
for (const name of ["tls", "accounts"]) mkdirSync(join(directory, name));
writeFileSync(join(directory, "tls/fullchain.pem"), testCertificate().cert);
writeFileSync(join(directory, "tls/key.pem"), testCertificate().key);
for (const domain of ["example.com", "xn--bcher-kva.example"]) {
  writeFileSync(join(directory, "accounts", domain), accountsFile(domain));
}

async function warningsIn(text: string): Promise<string[]> {
  const warnings = await warningsOf(await load(write("routers.toml", text)));
  return warnings.filter((warning) => !warning.includes("there is no user"));
}

function listenerFor(addresses: readonly string[]): string | undefined {
  return /^address = "(.*)"$/m.exec(routersFile({ ...ANSWERS, addresses }))?.[1];
}

function tablesOf(text: string): Record<string, unknown> {
  const parsed = parseToml(Buffer.from(text));
  assert.ok("document" in parsed, JSON.stringify(parsed));
  return { ...parsed.document.root };
}

describe("the configuration that init writes", () => {
  const cases: readonly (readonly [string, Partial<RoutersFile>])[] = [
    ["for an ordinary domain", {}],
    ["for a domain in another script", { domains: ["xn--bcher-kva.example"] }],
    ["for several domains", { domains: ["example.com", "xn--bcher-kva.example"] }],
    ["with IPv6", { addresses: ["192.0.2.25", "2001:db8::25"] }],
    [
      "with odd directories",
      { spool: String.raw`/srv/my "spool" \ here`, mail: "/srv/it's mail/ünï # x" },
    ],
  ];
  for (const [what, changes] of cases) {
    test(`loads without a warning ${what}`, async () => {
      assert.deepEqual(await warningsIn(routersFile({ ...ANSWERS, ...changes })), []);
    });
  }

  test("loads with the tables that are commented out, too", async () => {
    const written = routersFile({ ...ANSWERS, domains: ["example.com", "xn--bcher-kva.example"] });
    const whole = written.replaceAll(COMMENTED, "");
    assert.match(whole, /^\[accounts\]$/m);
    assert.match(whole, /^\[gate\.authentication\]$/m);
    await load(write("routers.toml", whole));
  });

  test("takes directories as they are", async () => {
    const spool = String.raw`/srv/my "spool" \ here`;
    const { relay } = await load(write("routers.toml", routersFile({ ...ANSWERS, spool })));
    assert.equal(relay.spool_directory, spool);
  });

  test("listens on IPv6 only if the relay has an address of it", () => {
    assert.equal(listenerFor(["192.0.2.25"]), "0.0.0.0:25");
    assert.equal(listenerFor(["192.0.2.25", "2001:db8::25"]), "[::]:25");
  });

  test("has the secret once", () => {
    assert.equal(routersFile(ANSWERS).split(SECRET).length, 2);
  });

  test("relays for nobody but our tenant", async () => {
    const { gate } = await load(write("routers.toml", routersFile(ANSWERS)));
    assert.equal(gate.relay.length, 1);
    const [rule] = gate.relay;
    assert.deepEqual(rule?.proof?.header, [`X-Unseen-Tenant: ${SECRET}`]);
    assert.ok(rule.require_tls);
  });

  test("has lines of at most 120 columns", () => {
    const long = routersFile(ANSWERS)
      .split("\n")
      .filter((line) => line.length > 120);
    assert.deepEqual(long, []);
  });
});

describe("etc/routers-short.toml", () => {
  test("has at most sixty lines", () => {
    assert.ok(SHORT.split("\n").length - 1 <= 60);
  });

  test("loads, and the only warning is its published secret", async () => {
    const warnings = await warningsIn(SHORT);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /the secret is that of the example$/);
  });

  test("says what init writes, but for what is a default", () => {
    const long = tablesOf(routersFile({ ...ANSWERS, secret: "put-a-long-secret-here" }));
    const { relay } = long;
    assert.ok(isTable(relay));
    const defaults = {
      spool_directory: "/var/spool/unseen",
      postmaster: "postmaster@example.com",
    };
    const short = tablesOf(SHORT);
    const whole = { ...short, relay: Object.assign({}, short["relay"], defaults) };
    assert.deepEqual(structuredClone(whole), structuredClone(long));
  });
});

test("the accounts begin with those that Google keeps for every domain", async () => {
  assert.deepEqual(
    [...(await parseLsearch(accountsFile("example.com")))],
    [
      ["postmaster", "postmaster"],
      ["abuse", "abuse"],
    ],
  );
});
