// What comes with the relay: drivers, and the parts with their tables of the configuration file. One place, so that only
// the loader and the documentation know them.

import { routerDrivers } from "../../routers/index.ts";
import { transportDrivers } from "../../transports/index.ts";
import type { BuiltIn } from "../config/driven.ts";
import { parts } from "../parts.ts";

export const builtIn: BuiltIn = {
  routers: routerDrivers,
  transports: transportDrivers,
  sections: Object.assign({}, ...parts.map(({ sections }) => sections)),
};
