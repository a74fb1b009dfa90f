// relayctl failover drill with Debian's Dovecot, on what relayctl dovecot-config prints: as a postmaster runs it.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { relayctl } from "../support/program.ts";
import { startSink } from "../support/sink.ts";
import { realMail, submit } from "./mail.ts";
import { notServed, startServedRelay } from "./served-relay.ts";

const skip = notServed();

/** Each file with the sum of its octets; new/ and cur/ count as one, because Dovecot moves copies. */
function filesOf(root: string): ReadonlyMap<string, string> {
  const all = readdirSync(root, { recursive: true, withFileTypes: true });
  return new Map(
    all.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const sum = () => createHash("sha256").update(readFileSync(path)).digest("hex");
      const name = path.slice(root.length).replace(/\/(?:new|cur)\/(.+?)(?::2,)?$/, "/$1");
      return [name, entry.isFile() ? sum() : "directory"];
    }),
  );
}

for (const access of [[], ["--write-access"]] as const) {
  const what = access.length === 0 ? "read-only" : "with write access";
  test(`all steps work ${what}, and nothing is left`, { skip }, async () => {
    await using google = await startSink({
      replies: { "unseen-drill": [550, "5.1.1 The email account does not exist"] },
    });
    const options = { google: google.port, access, users: "# people" };
    await using served = await startServedRelay(options);
    const { directory, file, smtp } = served;
    await submit(smtp, "alice@example.com", "bob@example.com", realMail());
    await google.waitFor(realMail().length);
    const [mail, users] = [join(directory, "mail"), join(directory, "users")];
    const before = [filesOf(mail), readFileSync(users, "latin1")];
    for (let turn = 0; turn < 2; turn++) {
      const drill = await relayctl(["failover", "drill", "--json", "--config", file]);
      assert.deepEqual([drill.code, drill.stderr], [0, ""], drill.stdout);
      assert.deepEqual([filesOf(mail), readFileSync(users, "latin1")], before);
      assert.ok(!readdirSync(join(directory, "spool")).includes("failover-drill.json"));
    }
    assert.doesNotMatch(served.log(), /Error|Panic/);
  });
}
