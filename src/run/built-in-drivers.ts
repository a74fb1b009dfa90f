// The drivers that come with the relay. One place, so that only the loader and the documentation know them.

import { routerDrivers } from "../../routers/index.ts";
import { transportDrivers } from "../../transports/index.ts";
import type { BuiltInDrivers } from "../config/driven.ts";

export const builtInDrivers: BuiltInDrivers = {
  routers: routerDrivers,
  transports: transportDrivers,
};
