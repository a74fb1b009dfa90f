import assert from "node:assert/strict";
import { it } from "node:test";
import { Audit, auditDirectory, auditFieldsOf } from "../../../../src/parts/archive/chain/audit.ts";
import {
  Manifest,
  manifestDirectory,
  type ManifestEntry,
  manifestEntryOf,
  nameOfPlace,
} from "../../../../src/parts/archive/chain/manifest.ts";
import { manualClock } from "../../../support/clock.ts";
import { Directory, independently, linesOf } from "./chains.ts";

const SHA256 = "ab".repeat(32);
const where = { account: "bob@example.com", folder: "Entwürfe/A b\n" };

it("each entry of the manifest is read back as it was written", async () => {
  using directory = new Directory();
  const entries: readonly ManifestEntry[] = [
    { word: "file", ...where, place: "new/1.a,S=7", size: 7, sha256: SHA256, origin: "relay" },
    { word: "file", ...where, place: "cur/1.b:2,S", size: 0, sha256: SHA256, origin: "walk" },
    { word: "file", ...where, place: "cur/1.c gone", size: 0, sha256: SHA256, origin: "import" },
    { word: "going", ...where, name: "1.a,S=7", sha256: SHA256, rule: 'keep "3y"' },
    { word: "gone", ...where, name: "1.a,S=7", sha256: SHA256 },
    { word: "accepted", ...where, place: "cur/1.b:2,S", sha256: undefined, why: "a fire" },
    { word: "accepted", ...where, place: "cur/1.b:2,S", sha256: SHA256, why: "" },
    { word: "accepted-break", chain: "audit", day: "2026-01-01", line: 3, why: "a bad disk" },
  ];
  const manifest = new Manifest(directory.path, manualClock());
  await manifest.append(entries);
  await manifest.close();
  const lines = await linesOf(manifestDirectory(directory.path));
  assert.deepEqual(
    lines.map(({ word, fields }) => manifestEntryOf(word, fields)),
    entries,
  );
  assert.match(
    independently(manifestDirectory(directory.path))[0] ?? "",
    /^\S+ file bob@example.com Entw%C3%BCrfe\/A%20b%0A new\/1.a,S=7 7 (ab){32} relay$/,
  );
});

it("no other line is an entry", () => {
  assert.equal(manifestEntryOf("torn", ["7"]), undefined);
  assert.equal(manifestEntryOf("", []), undefined);
  assert.equal(manifestEntryOf("file", ["a", "b"]), undefined);
  assert.equal(manifestEntryOf("file", ["a", "b", "new/c", "1", SHA256, "magic"]), undefined);
});

it("the unique name is what stands before the colon", () => {
  assert.equal(nameOfPlace("new/1.M2.host,S=3"), "1.M2.host,S=3");
  assert.equal(nameOfPlace("cur/1.M2.host,S=3:2,RS"), "1.M2.host,S=3");
  assert.equal(nameOfPlace("1.M2.host:2,:x"), "1.M2.host");
});

it("the audit log says who did what, and why", async () => {
  using directory = new Directory();
  const audit = new Audit(directory.path, manualClock());
  await audit.append([
    { act: "login", by: "bob@example.com" },
    { act: "search", by: "eve", fields: { account: "bob", reason: "a=b c\nd", hits: 3 } },
  ]);
  await audit.close();
  const lines = await linesOf(auditDirectory(directory.path));
  assert.deepEqual(
    lines.map(({ word, fields }) => [word, Object.fromEntries(auditFieldsOf(fields))]),
    [
      ["login", { by: "bob@example.com" }],
      ["search", { by: "eve", account: "bob", reason: "a=b c\nd", hits: "3" }],
    ],
  );
});
