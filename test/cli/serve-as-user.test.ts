// relayctl serve started as root with `user`: what it gives to that user, and what it leaves alone.

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { findUser } from "../../src/base/users.ts";
import { Place } from "../support/program.ts";
import { startRelayProcess } from "../support/relay-process.ts";

const NOBODY = findUser("nobody");

function config(user: string, mail: string): string {
  return `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
user = "${user}"
[[listeners]]
address = "127.0.0.1:0"
[gate]
local_domains = ["example.com"]
[[routers]]
name = "all"
driver = "accept"
domains = ["example.com"]
transport = "store"
[transports.store]
driver = "maildir-append"
directory = "${mail}/{domain}"
mode = "0640"
`;
}

/** A directory that everybody may enter and only root may write to. */
function place(user = "nobody", mail = "mail/all"): Place {
  const here = new Place();
  chmodSync(here.directory, 0o755);
  here.write("routers.toml", config(user, mail));
  return here;
}

suite("relayctl serve as root", { skip: process.getuid?.() !== 0 || NOBODY === undefined }, () => {
  test("makes what is missing of spool and mail for its user", async () => {
    using here = place();
    const relay = await startRelayProcess(join(here.directory, "routers.toml"));
    await relay.kill("SIGTERM");
    const made = ["spool", "mail", "mail/all"].map((name) => {
      const { uid, mode } = statSync(join(here.directory, name));
      return { name, uid, mode: (mode & 0o777).toString(8) };
    });
    const uid = NOBODY?.uid;
    assert.deepEqual(made, [
      { name: "spool", uid, mode: "700" },
      { name: "mail", uid, mode: "750" },
      { name: "mail/all", uid, mode: "750" },
    ]);
    assert.doesNotMatch(relay.log(), /relay\.warning/);
  });

  test("warns of mail that its user may not write to, and serves", async () => {
    using here = place();
    mkdirSync(join(here.directory, "mail/all"), { recursive: true });
    const relay = await startRelayProcess(join(here.directory, "routers.toml"));
    await relay.kill("SIGTERM");
    const what = `${join(here.directory, "mail/all")} cannot be written to`;
    assert.ok(relay.log().includes(`"event":"relay.warning","what":"${what}`), relay.log());
  });

  test("is a wrong configuration for a user that there is not", async () => {
    using here = place("nobody-of-that-name");
    const { code, stdout, stderr } = await here.relayctl("serve", "--config", "routers.toml");
    assert.deepEqual(
      { code, stdout, stderr },
      {
        code: 78,
        stdout: "",
        stderr: 'routers.toml: relay.user: there is no user "nobody-of-that-name" in /etc/passwd\n',
      },
    );
  });
});
