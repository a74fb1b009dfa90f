// The lookups that come with the relay.

import { type Lookups, lookupTable } from "./lookup.ts";
import { lsearch } from "./lsearch-lookup.ts";
import { spf } from "./spf-lookup.ts";

export const builtInLookups: Lookups = lookupTable([lsearch, spf]);
