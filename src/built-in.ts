// The built-in drivers and lookups, and the parts with their configuration tables, their own drivers and lookups. Only the
// loader and the documentation know them, through this file.

import { routerDrivers } from "../routers/index.ts";
import { transportDrivers } from "../transports/index.ts";
import type { BuiltIn } from "./config/configuration.ts";
import { builtInLookups } from "./lists/built-in.ts";
import { parts } from "./parts.ts";
import type { Part } from "./parts/part.ts";

/** Throws when two drivers have the same name, because one of them could never be found. */
export function builtInWith(table: readonly Part[]): BuiltIn {
  const own = table.flatMap(({ drivers }) => drivers ?? []);
  return {
    routers: joined(
      routerDrivers,
      own.flatMap(({ routers }) => routers ?? []),
      named,
    ),
    transports: joined(
      transportDrivers,
      own.flatMap(({ transports }) => transports ?? []),
      named,
    ),
    lookups: joined(
      builtInLookups,
      own.flatMap(({ lookups }) => lookups ?? []),
      ({ scheme }) => scheme,
    ),
    sections: Object.assign({}, ...table.map(({ sections }) => sections)),
  };
}

export const builtIn: BuiltIn = builtInWith(parts);

function named({ name }: { readonly name: string }): string {
  return name;
}

function joined<Driver>(
  drivers: ReadonlyMap<string, Driver>,
  more: readonly Driver[],
  nameOf: (driver: Driver) => string,
): ReadonlyMap<string, Driver> {
  const all = new Map(drivers);
  for (const driver of more) {
    const name = nameOf(driver);
    if (all.has(name)) throw new Error(`two drivers have the name ${name}`);
    all.set(name, driver);
  }
  return all;
}
