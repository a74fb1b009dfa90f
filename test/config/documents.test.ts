// The two pages that a postmaster reads: docs/config.md and etc/routers.toml name every option that is declared,
// none that is not, and the defaults that hold.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { builtIn } from "../../src/built-in.ts";
import { chainOptions, transportOptions } from "../../src/route/chain-options.ts";
import { configurationDocument } from "../../src/config/document.ts";
import { isTable } from "../../src/base/table.ts";
import type { Option } from "../../src/options/options.ts";
import { sections } from "../../src/config/sections.ts";
import { parseToml } from "../../src/config/toml.ts";
import { CERTIFICATE, COMMENTED, directory, load, PRIVATE_KEY, write } from "./configuration.ts";

type Fields = Readonly<Record<string, Option<unknown>>>;

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const example = read("etc/routers.toml");

/** Every option of these fields, as "gate.relay.hosts", with those inside tables. */
function declared(fields: Fields, path: string): Map<string, Option<unknown>> {
  const found = new Map<string, Option<unknown>>();
  for (const [key, option] of Object.entries(fields)) {
    found.set(`${path}${key}`, option);
    for (const one of declared(option.inner?.fields ?? {}, `${path}${key}.`)) found.set(...one);
  }
  return found;
}

/** Options by place; those of a router or transport stand under "routers DRIVER" or "transports DRIVER". */
function everyOption(): Map<string, Option<unknown>> {
  const all = declared({ ...sections, ...builtIn.sections }, "");
  for (const { name, options } of builtIn.routers.values()) {
    for (const one of declared(options.fields, `routers ${name}.`)) all.set(...one);
  }
  for (const { name, options } of builtIn.transports.values()) {
    for (const one of declared(options.fields, `transports ${name}.`)) all.set(...one);
  }
  for (const one of declared(chainOptions.fields, "routers.")) all.set(...one);
  for (const one of declared(transportOptions.fields, "transports.")) all.set(...one);
  return all;
}

/** Where an option of the example may be declared, given the tables that it stands in. */
function* written(table: unknown, path: string): Generator<[path: string, value: unknown]> {
  if (Array.isArray(table)) for (const row of table) yield* written(row, path);
  if (!isTable(table)) return;
  for (const [key, value] of Object.entries(table)) {
    const at = path === "" ? key : `${path}.${key}`;
    yield [at, value];
    yield* written(value, at);
  }
}

function root(text: string): Record<string, unknown> {
  const parsed = parseToml(Buffer.from(text));
  assert.ok("document" in parsed, JSON.stringify(parsed));
  return parsed.document.root;
}

function driven(
  tables: unknown[],
  word: "routers" | "transports",
): [path: string, value: unknown][] {
  const generic = word === "routers" ? chainOptions.fields : transportOptions.fields;
  return tables.flatMap((table) => {
    assert.ok(isTable(table));
    const own = `${word} ${String(table["driver"])}`;
    return Object.entries(table).flatMap(([key, value]): [string, unknown][] => {
      const path = `${Object.hasOwn(generic, key) ? word : own}.${key}`;
      return [[path, value], ...written(value, path)];
    });
  });
}

/** The tables of drivers are brought under the name of their driver, which says what they may hold. */
function byDriver(text: string): [path: string, value: unknown][] {
  const { routers, transports, ...rest } = root(text);
  assert.ok(Array.isArray(routers) && isTable(transports));
  const named = /^(?:domains|hosts)\./;
  return [
    ...[...written(rest, "")].filter(([path]) => !named.test(path)),
    ...driven(routers, "routers"),
    ...driven(Object.values(transports), "transports"),
  ];
}

test("docs/config.md is what `npm run docs` writes", () => {
  assert.equal(read("docs/config.md"), configurationDocument(builtIn));
});

describe("etc/routers.toml", () => {
  before(() => {
    mkdirSync(join(directory, "tls"));
    copyFileSync(CERTIFICATE, join(directory, "tls/fullchain.pem"));
    copyFileSync(PRIVATE_KEY, join(directory, "tls/key.pem"));
    const { privateKey } = generateKeyPairSync("ed25519");
    const pem = privateKey.export({ type: "pkcs8", format: "pem" });
    writeFileSync(join(directory, "tls-reports.key"), pem, { mode: 0o600 });
    writeFileSync(join(directory, "dkim.pem"), pem, { mode: 0o600 });
    writeFileSync(join(directory, "smarthost.password"), "secret", { mode: 0o600 });
  });

  test("loads as it stands", async () => {
    await load(write("example.toml", example));
  });

  test("loads with everything that is commented out", async () => {
    await load(write("whole.toml", example.replaceAll(COMMENTED, "")));
  });

  test("names every option, and none that is not declared", () => {
    const names = new Set(byDriver(example.replaceAll(COMMENTED, "")).map(([path]) => path));
    assert.deepEqual([...names].toSorted(), [...everyOption().keys()].toSorted());
  });

  test("shows the defaults that hold, where an option is commented out", () => {
    const options = everyOption();
    const given = new Set(
      byDriver(example).map(([path, value]) => `${path} ${JSON.stringify(value)}`),
    );
    for (const [path, value] of byDriver(example.replaceAll(COMMENTED, ""))) {
      const { fallback, shown, inner } = options.get(path) ?? {};
      if (given.has(`${path} ${JSON.stringify(value)}`) || fallback === undefined || inner)
        continue;
      assert.equal(JSON.stringify(value), JSON.stringify(root(`x = ${shown}`)["x"]), path);
    }
  });
});
