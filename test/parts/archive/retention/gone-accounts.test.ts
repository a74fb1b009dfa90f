import assert from "node:assert/strict";
import { existsSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { builtIn } from "../../../../src/built-in.ts";
import type { Configuration } from "../../../../src/config/configuration.ts";
import { loadConfiguration } from "../../../../src/config/load.ts";
import { removeGoneAccounts } from "../../../../src/parts/archive/retention/gone-accounts.ts";
import { RIGHT } from "../../../config/configuration.ts";
import { Place } from "../../../support/program.ts";

const NOW = Date.now();
const OLD = (NOW - 2 * 86_400_000) / 1000;

describe("the directories of an account that is empty and gone", () => {
  let place: Place;
  let mail: string;

  beforeEach(() => {
    place = new Place();
    mail = join(place.directory, "mail");
  });
  afterEach(() => place[Symbol.dispose]());

  async function configured(localParts: string, accounts?: string): Promise<Configuration> {
    if (accounts !== undefined) place.write("accounts", accounts);
    const copy = `[[routers]]
name = "copies"
driver = "unseen-copy"
domains = "+ours"
local_parts = ${localParts}
transport = "maildir"
[transports.maildir]
driver = "maildir-append"
directory = "${mail}/{domain}/{local_part}"
[[routers]]
name = "google"`;
    const text = RIGHT.replace('[[routers]]\nname = "google"', copy);
    const loaded = await loadConfiguration(place.write("routers.toml", text), builtIn);
    assert.ok("configuration" in loaded, JSON.stringify(loaded));
    return loaded.configuration;
  }

  /** An account's directories, two days old, with these files. */
  function account(name: string, ...files: readonly string[]): void {
    const maildir = join(mail, "example.com", name);
    const parts = ["new", "cur", "tmp", ".Sent/new", ".Sent/cur", ".Sent/tmp"];
    for (const part of parts) mkdirSync(join(maildir, part), { recursive: true });
    for (const file of files) writeFileSync(join(maildir, file), "x");
    for (const part of [...parts, ".Sent", "."]) utimesSync(join(maildir, part), OLD, OLD);
  }

  const has = (name: string) => existsSync(join(mail, "example.com", name));

  it("are removed, with what mail readers have left, and nothing else", async () => {
    const configuration = await configured('"lsearch:accounts"', "alice\nbob: alice\n");
    account("alice");
    account("bob");
    account("gone", "dovecot.index.log", "dovecot-uidlist", "subscriptions", ".Sent/maildirfolder");
    account("full", ".Sent/cur/1.a:2,S");
    account("arriving", "tmp/1.b");
    account("strange", "notes.txt");
    account("young");
    utimesSync(join(mail, "example.com/young/new"), NOW / 1000, NOW / 1000);
    account("linked");
    symlinkSync("/tmp", join(mail, "example.com/linked/.Trash"));
    utimesSync(join(mail, "example.com/linked"), OLD, OLD);
    assert.deepEqual(await removeGoneAccounts(configuration, mail, NOW), ["gone@example.com"]);
    assert.ok(!has("gone"));
    for (const name of ["alice", "bob", "full", "arriving", "strange", "young", "linked"]) {
      assert.ok(has(name), name);
    }
    assert.ok(existsSync(dirname(join(mail, "example.com/full/.Sent/cur/1.a:2,S"))));
  });

  it("stay while a list cannot be read, is empty, or enumerates nothing", async () => {
    account("gone");
    const unreadable = await configured('"lsearch:accounts"', "alice\n");
    rmSync(join(place.directory, "accounts"));
    assert.deepEqual(await removeGoneAccounts(unreadable, mail, NOW), []);
    const empty = await configured('"lsearch:accounts"', "# nobody\n");
    assert.deepEqual(await removeGoneAccounts(empty, mail, NOW), []);
    const pattern = await configured('["lsearch:accounts", "*"]', "alice\n");
    assert.deepEqual(await removeGoneAccounts(pattern, mail, NOW), []);
    const named = await configured('["lsearch:accounts", "gone"]', "alice\n");
    assert.deepEqual(await removeGoneAccounts(named, mail, NOW), []);
    assert.ok(has("gone"));
  });
});
