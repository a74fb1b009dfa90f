// Configuration files for the tests: one that is right, and a way to write any other into a directory of its own.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { problemLine } from "../../src/config/configuration.ts";
import type { Configuration } from "../../src/config/configuration.ts";
import { loadConfiguration } from "../../src/config/load.ts";
import { OURS } from "../support/certificates.ts";
import { builtIn } from "../../src/built-in.ts";

export const { certificate: CERTIFICATE, privateKey: PRIVATE_KEY } = OURS;

/** 18 lines, and nothing wrong with them. */
export const RIGHT = `[relay]
hostname = "mx.example.com"
[[listeners]]
address = "127.0.0.1:2525"
[domains]
ours = ["example.com"]
[hosts]
trusted = ["127.0.0.1"]
[gate]
local_domains = "+ours"
[[routers]]
name = "google"
driver = "accept"
domains = "+ours"
transport = "gmail"
[transports.gmail]
driver = "smtp"
hosts = "aspmx.l.google.com"
`;

/** In etc/routers.toml "# option = value" and "# [section]" are configuration; every other comment is prose. */
export const COMMENTED = /^# (?=\[{1,2}[a-z_.]+\]{1,2}$|[a-z_]+ = )/gm;

export const directory = mkdtempSync(join(tmpdir(), "unseen-config-"));
after(() => rmSync(directory, { recursive: true }));

export function write(name: string, text: string | Buffer): string {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}

/** The lines that `relayctl check` prints, the directory of the file left out. */
export async function problemsOf(text: string | Buffer): Promise<string[]> {
  const result = await loadConfiguration(write("routers.toml", text), builtIn);
  assert.ok("problems" in result, "the configuration was loaded");
  return result.problems.map((problem) => problemLine(problem).replaceAll(`${directory}/`, ""));
}

export async function load(file: string): Promise<Configuration> {
  const result = await loadConfiguration(file, builtIn);
  assert.deepEqual("problems" in result ? result.problems.map(problemLine) : [], []);
  assert.ok("configuration" in result, JSON.stringify(result));
  return result.configuration;
}
