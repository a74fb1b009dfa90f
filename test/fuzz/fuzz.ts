// `npm run fuzz -- --seed N --seconds S`: a million addresses, then hostile clients until the time is over.
// The seed is printed, so that a run that fails can be had again.

import { parseArgs } from "node:util";
import { fuzzAddresses } from "./addresses.ts";
import { fuzzSessions } from "./sessions.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    seconds: { type: "string", default: "60" },
  },
});
const seed = Number(values.seed);
const end = Date.now() + Number(values.seconds) * 1000;

console.log(`seed ${seed}`);
console.log("addresses", await fuzzAddresses(seed, (n) => n < 1_000_000));
console.log("clients", await fuzzSessions(seed, (n) => n === 0 || Date.now() < end));
