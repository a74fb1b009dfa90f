// [relay] dkim in the configuration: what is wrong with a key is said with its line, and the record for the DNS.

import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { warningsOf } from "../../src/config/warnings.ts";
import { dkimRecordOf, zoneLineOf } from "../../src/outbox/dkim-record.ts";
import { directory, load, problemsOf, RIGHT, write } from "../config/configuration.ts";

const RSA = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ED25519 = generateKeyPairSync("ed25519");

function pemOf(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" });
}

function writeKey(text: string, mode = 0o600): void {
  rmSync(join(directory, "dkim.pem"), { force: true });
  chmodSync(write("dkim.pem", text), mode);
}

/** On line 3 of the file. */
function configured(dkim: string): string {
  return RIGHT.replace("[[listeners]]", `dkim = ${dkim}\n[[listeners]]`);
}

const ENTRY = '{ domain = "Example.COM", selector = "relay", key_file = "dkim.pem" }';

function loadEntry() {
  return load(write("routers.toml", configured(`[${ENTRY}]`)));
}

describe("a key", () => {
  test("is read with the configuration, its domain in canonical form", async () => {
    for (const { privateKey } of [RSA, ED25519]) {
      writeKey(pemOf(privateKey));
      const { relay } = await loadEntry();
      const [signer, ...others] = relay.dkim;
      assert.deepEqual(others, []);
      assert.equal(signer?.domain, "example.com");
      assert.equal(signer.selector, "relay");
      assert.ok(signer.key_file.key.equals(privateKey));
      rmSync(join(directory, "dkim.pem"));
      assert.ok(signer.key_file.key.equals(privateKey), "it is held");
    }
  });

  test("stands in a table of its own as well", async () => {
    writeKey(pemOf(RSA.privateKey));
    const table = `[[relay.dkim]]\n${ENTRY.slice(2, -2).replaceAll(", ", "\n")}\n[[listeners]]`;
    const file = write("routers.toml", RIGHT.replace("[[listeners]]", table));
    assert.equal((await load(file)).relay.dkim.length, 1);
  });

  test("is none by default", async () => {
    assert.deepEqual((await load(write("routers.toml", RIGHT))).relay.dkim, []);
  });

  test("that everybody can use is a warning, and is used", async () => {
    for (const mode of [0o644, 0o604]) {
      writeKey(pemOf(RSA.privateKey), mode);
      const doubts = await warningsOf(await loadEntry());
      const path = join(directory, "dkim.pem");
      assert.ok(
        doubts.some((doubt) =>
          doubt.endsWith(
            `relay.dkim[0].key_file: everybody on this machine can use ${path}; "chmod o= ${path}" ends that`,
          ),
        ),
        doubts.join("\n"),
      );
    }
    writeKey(pemOf(RSA.privateKey), 0o640);
    assert.doesNotMatch((await warningsOf(await loadEntry())).join("\n"), /dkim/);
  });

  const weak = generateKeyPairSync("rsa", { modulusLength: 768 }).privateKey;
  const elliptic = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const locked = RSA.privateKey.export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-256-cbc",
    passphrase: "x",
  });
  const published = RSA.publicKey.export({ type: "spki", format: "pem" });
  const ofWrongType = "dkim.pem: its key must be RSA of at least 1024 bits, or Ed25519";
  const none = "dkim.pem: holds no private key in PEM, or one with a passphrase";
  const wrong: Readonly<Record<string, readonly [text: string, why: string]>> = {
    "of too few bits": [pemOf(weak), ofWrongType],
    "of another kind": [pemOf(elliptic), ofWrongType],
    "with a passphrase": [locked, none],
    "that is public": [published, none],
    "that is empty": ["", none],
    "that is none": ["secret\n", none],
  };
  for (const [what, [text, why]] of Object.entries(wrong)) {
    test(`${what} is a problem, with its line`, async () => {
      writeKey(text);
      const problems = await problemsOf(configured(`[${ENTRY}]`));
      assert.deepEqual(problems, [`routers.toml:3: relay.dkim[0].key_file: ${why}`]);
    });
  }

  test("whose file cannot be read is a problem, with its line", async () => {
    rmSync(join(directory, "dkim.pem"), { force: true });
    const at = "routers.toml:3: relay.dkim[0].key_file: cannot read dkim.pem:";
    assert.deepEqual(await problemsOf(configured(`[${ENTRY}]`)), [`${at} there is no such file`]);
    mkdirSync(join(directory, "dkim.pem"));
    assert.match(
      (await problemsOf(configured(`[${ENTRY}]`))).join("\n"),
      new RegExp(`^${at.replaceAll(/[[\]]/g, "\\$&")} .*directory$`),
    );
    rmSync(join(directory, "dkim.pem"), { recursive: true });
  });
});

describe("an entry", () => {
  test("with a domain or a selector that no signature can have is a problem", async () => {
    writeKey(pemOf(RSA.privateKey));
    for (const domain of ["com", "[192.0.2.1]", "a_b.example.com", "example.com.", "", "a b.c"]) {
      const problems = await problemsOf(configured(`[${ENTRY.replace("Example.COM", domain)}]`));
      assert.match(
        problems.join("\n"),
        /^routers\.toml:3: relay\.dkim\[0\]\.domain: must be a domain like "example\.com", not .*$/,
      );
    }
    for (const selector of ["a b", "a..b", "-a", "a-", "a;b", "a_b", ".a", "ä", "x".repeat(64)]) {
      const problems = await problemsOf(
        configured(`[${ENTRY.replace('"relay"', `"${selector}"`)}]`),
      );
      assert.match(
        problems.join("\n"),
        /^routers\.toml:3: relay\.dkim\[0\]\.selector: must be a selector like "relay", not .*$/,
      );
    }
  });

  test("that lacks an option, or has an unknown one, is a problem", async () => {
    writeKey(pemOf(RSA.privateKey));
    const problems = await problemsOf(
      configured('[{ domain = "example.com", selektor = "relay", key_file = "dkim.pem" }]'),
    );
    assert.equal(problems.length, 2);
    assert.match(problems.join("\n"), /relay\.dkim\[0\]\.selektor: unknown option.*selector/);
    assert.match(problems.join("\n"), /relay\.dkim\[0\]\.selector: is missing/);
  });

  test("is for one record: a second one of its domain has another selector", async () => {
    writeKey(pemOf(RSA.privateKey));
    const same = ENTRY.replace("Example.COM", "example.com").replace("relay", "RELAY");
    assert.deepEqual(await problemsOf(configured(`[${ENTRY}, ${same}]`)), [
      "routers.toml:3: relay.dkim[1]: has the domain and the selector of relay.dkim[0]",
    ]);
    const other = ENTRY.replace("relay", "relay2");
    await load(write("routers.toml", configured(`[${ENTRY}, ${other}]`)));
  });
});

test("the record of a key is what the DNS has to say of it, in strings of 255 octets", async () => {
  writeKey(pemOf(RSA.privateKey));
  const [signer] = (await loadEntry()).relay.dkim;
  assert.ok(signer !== undefined);
  const record = dkimRecordOf(signer);
  const p = RSA.publicKey.export({ type: "spki", format: "der" }).toString("base64");
  assert.deepEqual(record, {
    name: "relay._domainkey.example.com",
    value: `v=DKIM1; k=rsa; p=${p}`,
  });
  const line = zoneLineOf(record);
  const strings = [...line.matchAll(/"([^"]*)"/g)].map(([, text]) => text ?? "");
  assert.equal(strings.join(""), record.value);
  for (const text of strings) assert.ok(text.length <= 255);
  assert.match(line, /^relay\._domainkey\.example\.com\. TXT "v=DKIM1; [^"]*" "[^"]*"$/);

  writeKey(pemOf(ED25519.privateKey));
  const [short] = (await loadEntry()).relay.dkim;
  assert.ok(short !== undefined);
  const bare = ED25519.publicKey.export({ type: "spki", format: "der" }).subarray(-32);
  assert.equal(
    zoneLineOf(dkimRecordOf(short)),
    `relay._domainkey.example.com. TXT "v=DKIM1; k=ed25519; p=${bare.toString("base64")}"`,
  );
});
