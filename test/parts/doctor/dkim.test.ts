// The records of the keys that sign: one is broken at a time, and the doctor names exactly that.

import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { builtIn } from "../../../src/built-in.ts";
import { commandMeans } from "../../../src/cli/part-means.ts";
import { loadConfiguration } from "../../../src/config/load.ts";
import { examine } from "../../../src/parts/doctor/doctor.ts";
import { World, ZONE } from "./world.ts";

const pair = (): KeyObject => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
const KEYS = { own: pair(), other: pair(), edwards: generateKeyPairSync("ed25519").privateKey };

const pem = (key: KeyObject) => key.export({ type: "pkcs8", format: "pem" });

function published(key: KeyObject, type: "spki" | "pkcs1" = "spki"): string {
  const octets = createPublicKey(key).export({ type, format: "der" });
  return (key.asymmetricKeyType === "ed25519" ? octets.subarray(-32) : octets).toString("base64");
}

const P = published(KEYS.own);
const OTHER = published(KEYS.other);
const PKCS1 = published(KEYS.own, "pkcs1");
const EDWARDS = `v=DKIM1; k=ed25519; p=${published(KEYS.edwards)}`;
const RIGHT = `v=DKIM1; k=rsa; p=${P}`;
const NAME = "unseen._domainkey.example.com";

type Case = readonly [records: readonly string[] | undefined, result: string, found: RegExp];

const CASES: Readonly<Record<string, Case>> = {
  "is right": [[RIGHT], "ok", /it has the key of .*dkim\.pem$/],
  "has no k and no v": [[`p=${P}`], "ok", /it has the key/],
  "has blanks and folds in the key": [
    [`v=DKIM1;k=rsa;p=${P.slice(0, 40)} ${P.slice(40, 90)}\t${P.slice(90)} ;`],
    "ok",
    /it has the key/,
  ],
  "has the key as PKCS #1": [[`v=DKIM1; p=${PKCS1}`], "ok", /it has the key/],
  "stands beside another text": [["some=text", RIGHT], "ok", /it has the key/],
  "is for mail and SHA-256": [[`${RIGHT}; s=email; h=sha1:sha256; t=s`], "ok", /it has the key/],
  "is missing": [undefined, "fail", /there is no record, so signatures do not count$/],
  "has no key": [["v=DKIM1; k=rsa"], "fail", /the record has no key \(p=\)/],
  "has another key": [[`v=DKIM1; p=${OTHER}`], "fail", /another key than .*dkim\.pem/],
  "has a key cut short": [[RIGHT.slice(0, -8)], "fail", /another key than/],
  "has a key that is no base64": [["v=DKIM1; p=%%%"], "fail", /another key than/],
  "has a key of another type": [[EDWARDS], "fail", /another key than/],
  "says another type": [[`v=DKIM1; k=ed25519; p=${P}`], "fail", /another key than/],
  "is revoked": [["v=DKIM1; p="], "fail", /the key is revoked/],
  "is revoked, with blanks": [["v=DKIM1; p= ;"], "fail", /the key is revoked/],
  "is of another version": [[`v=DKIM2; p=${P}`], "fail", /v=DKIM2, not v=DKIM1/],
  "is in test mode": [[`${RIGHT}; t=s:y`], "warn", /in test mode/],
  "is one of two": [[RIGHT, `v=DKIM1; p=${OTHER}`], "fail", /there are 2 records/],
  "allows SHA-1 only": [[`${RIGHT}; h=sha1`], "fail", /does not allow sha256/],
  "is not for mail": [[`${RIGHT}; s=tlsrpt`], "fail", /not for mail/],
};

suite("the doctor, if the record of a key", () => {
  let world: World;
  before(async () => {
    world = await World.open(
      (config) =>
        config
          .replace(
            "[transports.remote_smtp]\n",
            '$&dkim = [{ domain = "example.com", selector = "unseen", key_file = "dkim.pem" }]\n',
          )
          .replace(
            "[relay]\n",
            '$&dkim = [{ domain = "example.com", selector = "ed", key_file = "ed.pem" }]\n',
          ),
      { files: { "dkim.pem": pem(KEYS.own), "ed.pem": pem(KEYS.edwards) } },
    );
  });
  after(() => world[Symbol.asyncDispose]());

  const dkimFindings = async () =>
    (await world.examine(["dns"])).filter(({ found }) => found.startsWith("DKIM of"));

  for (const [what, [records, result, found]] of Object.entries(CASES)) {
    test(what, async () => {
      world.zone({
        [NAME]: records && { TXT: records },
        "ed._domainkey.example.com": { TXT: [EDWARDS] },
      });
      const [relays, transports, ...more] = await dkimFindings();
      assert.deepEqual([relays?.result, more], ["ok", []], JSON.stringify(relays));
      assert.equal(transports?.result, result, JSON.stringify(transports));
      assert.match(transports?.found ?? "", found);
      assert.match(transports?.found ?? "", /^DKIM of unseen\._domainkey\.example\.com: /);
      assert.equal(transports?.advice === "", result === "ok");
    });
  }

  test("gets no answer from the DNS, is skipped", async () => {
    const right = { "ed._domainkey.example.com": { TXT: [EDWARDS] } };
    world.relay.dns.set({ ...ZONE, ...right, fail: { [`TXT ${NAME}`]: "SERVFAIL" } });
    const results = (await dkimFindings()).map(({ result }) => result);
    assert.deepEqual(results, ["ok", "skipped"]);
  });

  test("is missing, says what to publish, in strings of at most 255 octets", async () => {
    world.zone({});
    const [relays, transports] = await dkimFindings();
    assert.match(
      relays?.advice ?? "",
      /^Publish: ed\._domainkey\.example\.com\. TXT "v=DKIM1; k=ed25519;/,
    );
    const strings = [...(transports?.advice ?? "").matchAll(/"([^"]*)"/g)].map(([, text]) => text);
    assert.equal(strings.join(""), RIGHT);
    assert.ok(strings.length === 2 && strings.every((text = "") => text.length <= 255));
  });

  test("is right, but the key file cannot be read any more, says so", async () => {
    world.zone({ [NAME]: { TXT: [RIGHT] }, "ed._domainkey.example.com": { TXT: [EDWARDS] } });
    const loaded = await loadConfiguration(world.file, builtIn);
    assert.ok("configuration" in loaded);
    const file = join(world.relay.directory, "dkim.pem");
    await rename(file, `${file}.away`);
    const means = commandMeans(world.file);
    const findings = await examine(loaded.configuration, ["dns"], means);
    await rename(`${file}.away`, file);
    const failed = findings.filter(({ result }) => result === "fail");
    assert.deepEqual(failed.length, 1, JSON.stringify(failed));
    assert.match(failed[0]?.found ?? "", /the relay's user cannot read .*dkim\.pem$/);
  });
});
