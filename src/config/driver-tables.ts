// Reads the tables that name a driver: [[routers]] and [transports.NAME]. Each holds generic options of all routers or
// transports, and the driver's own.

import type { Router, Transport } from "../contract/contract.ts";
import { chainOptions, transportOptions } from "../route/chain-options.ts";
import type { BuiltIn, RouterConfiguration, TransportConfiguration } from "./configuration.ts";
import { findDriver } from "./drivers.ts";
import type { DriverKind, FoundDriver } from "./drivers.ts";
import { checkKeys, checkName, join } from "../options/options.ts";
import type { Option, Options, Problem } from "../options/options.ts";
import { isTable } from "../base/table.ts";

export interface Reading {
  readonly directory: string;
  readonly problems: Problem[];
  /**
   * Called with every table before its options are read. False, with a problem for each, when a file that is to be read
   * does not answer: then the table is not read.
   */
  prepare(
    fields: Readonly<Record<string, Option<unknown>>>,
    table: Record<string, unknown>,
    path: string,
  ): Promise<boolean>;
}

/** Returns the routers in the order of the file. Tables with problems are left out. */
export async function readRouters(
  section: unknown,
  builtIn: BuiltIn["routers"],
  reading: Reading,
): Promise<RouterConfiguration[]> {
  const { problems } = reading;
  if (section === undefined || !Array.isArray(section) || section.length === 0) {
    const message =
      section === undefined
        ? "is missing: without [[routers]] no mail goes anywhere"
        : "must be written as [[routers]]";
    problems.push({ path: "routers", message });
    return [];
  }
  const reserved = Object.keys(chainOptions.fields);
  const kind: DriverKind<Router> = { word: "router", builtIn, reserved };
  const routers: RouterConfiguration[] = [];
  for (const [index, table] of section.entries()) {
    const path = `routers[${index}]`;
    const read = await readDriven(table, path, chainOptions, kind, reading);
    if (read === undefined) continue;
    const { driver, options, generic } = read;
    const unseen = generic.unseen ?? driver.defaults?.unseen ?? false;
    if (unseen && index === section.length - 1) {
      const message =
        "is unseen and the last router: what it takes has nowhere to go on to, and is unrouteable";
      problems.push({ path: join(path, "unseen"), message });
    }
    const relayed = generic.relayed ?? driver.defaults?.relayed;
    const restored = generic.restored ?? driver.defaults?.restored;
    const chain = { ...generic, unseen, relayed, restored };
    routers.push({ name: generic.name, chain, driver, options });
  }
  return routers;
}

export async function readTransports(
  section: unknown,
  builtIn: BuiltIn["transports"],
  reading: Reading,
): Promise<ReadonlyMap<string, TransportConfiguration>> {
  const transports = new Map<string, TransportConfiguration>();
  if (section !== undefined && !isTable(section)) {
    const message = "must be written as [transports.NAME]";
    reading.problems.push({ path: "transports", message });
    return transports;
  }
  const reserved = Object.keys(transportOptions.fields);
  const kind: DriverKind<Transport> = { word: "transport", builtIn, reserved };
  for (const [name, table] of Object.entries(section ?? {})) {
    const path = join("transports", name);
    checkName(name, path, reading.problems);
    const read = await readDriven(table, path, transportOptions, kind, reading);
    if (read !== undefined) transports.set(name, { name, ...read });
  }
  return transports;
}

interface Driven<Generic, Instance> {
  readonly generic: Generic;
  readonly driver: Extract<FoundDriver<Instance>, { driver: unknown }>["driver"];
  readonly options: unknown;
}

/** Undefined when the table has any problem; the problems have been reported then. */
async function readDriven<Generic, Instance>(
  table: unknown,
  path: string,
  generic: Options<Generic>,
  kind: DriverKind<Instance>,
  reading: Reading,
): Promise<Driven<Generic, Instance> | undefined> {
  const { directory, problems } = reading;
  if (!isTable(table)) {
    problems.push({ path, message: "must be a table" });
    return undefined;
  }
  if (!(await reading.prepare(generic.fields, table, path))) return undefined;
  const genericValues = generic.read(pick(table, kind.reserved), path, problems);
  const written = table["driver"];
  // A wrong `driver` value has been reported by `generic.read`.
  if (typeof written !== "string" || written === "") return undefined;
  const found = await findDriver(written, kind, directory);
  if ("wrong" in found) {
    problems.push({ path: join(path, "driver"), message: found.wrong });
    return undefined;
  }
  const { driver } = found;
  const own = Object.keys(driver.options.fields);
  checkKeys(table, [...kind.reserved, ...own], path, problems);
  if (!(await reading.prepare(driver.options.fields, table, path))) return undefined;
  const options = driver.options.read(pick(table, own), path, problems);
  const missing = (driver.requires ?? []).filter((key) => table[key] === undefined);
  for (const key of missing) {
    const message = `is missing: a ${kind.word} with driver "${written}" needs it`;
    problems.push({ path: join(path, key), message });
  }
  if (genericValues === undefined || options === undefined || missing.length > 0) return undefined;
  return { generic: genericValues, driver, options };
}

function pick(
  table: Readonly<Record<string, unknown>>,
  keys: readonly string[],
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(table).filter(([key]) => keys.includes(key)));
}
