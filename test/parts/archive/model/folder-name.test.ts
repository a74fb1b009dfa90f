import assert from "node:assert/strict";
import { test } from "node:test";
import {
  folderDirectoryOf,
  folderNameOf,
} from "../../../../src/parts/archive/model/folder-name.ts";

const PAIRS: readonly (readonly [directory: string, name: string])[] = [
  ["", "INBOX"],
  [".Sent", "Sent"],
  [".Archive.2026", "Archive/2026"],
  [".Gel&APY-scht", "Gelöscht"],
  [".&U,BTFw-.&ZeVnLIqe-", "台北/日本語"],
  [".R&-D", "R&D"],
  [".a b.c", "a b/c"],
  [".v1&AC4-2", "v1.2"],
  [".&2D3eAA-", "😀"],
];

test("a folder has the name that its directory encodes, and back", () => {
  for (const [directory, name] of PAIRS) {
    assert.equal(folderNameOf(directory), name);
    assert.equal(folderDirectoryOf(name), directory);
  }
});

test("a directory that no name encodes to keeps its own name, so no two directories share one", () => {
  const odd = [
    ".Gelöscht",
    ".INBOX",
    "..Sent",
    ".Sent.",
    ".a..b",
    ".&",
    ".&AGE-",
    ".&U,BTFw",
    ".a&AC8-b",
    ".&AGEA-",
    ".x\u0001",
    ".&3gA-",
  ];
  const names = odd.map(folderNameOf);
  assert.deepEqual(names, odd);
  assert.deepEqual(names.map(folderDirectoryOf), odd);
});
