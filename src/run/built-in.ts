// The built-in drivers, and the parts with their configuration tables and their own drivers. Only the loader and the
// documentation know them, through this file.

import { routerDrivers } from "../../routers/index.ts";
import { transportDrivers } from "../../transports/index.ts";
import type { BuiltIn } from "../config/driver-tables.ts";
import { parts } from "../parts.ts";
import type { Part } from "../parts/part.ts";

/** Throws when two drivers have the same name, because one of them could never be found. */
export function builtInWith(table: readonly Part[]): BuiltIn {
  const own = table.flatMap(({ drivers }) => drivers ?? []);
  return {
    routers: joined(
      routerDrivers,
      own.flatMap(({ routers }) => routers ?? []),
    ),
    transports: joined(
      transportDrivers,
      own.flatMap(({ transports }) => transports ?? []),
    ),
    sections: Object.assign({}, ...table.map(({ sections }) => sections)),
  };
}

export const builtIn: BuiltIn = builtInWith(parts);

function joined<Driver extends { readonly name: string }>(
  drivers: ReadonlyMap<string, Driver>,
  more: readonly Driver[],
): ReadonlyMap<string, Driver> {
  const all = new Map(drivers);
  for (const driver of more) {
    if (all.has(driver.name)) throw new Error(`two drivers have the name ${driver.name}`);
    all.set(driver.name, driver);
  }
  return all;
}
