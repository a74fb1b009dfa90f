#!/usr/bin/env node
// The program. Everything it can do stands in src/cli/program.ts.

import { run } from "./cli/program.ts";

// Before anything uses the pool: copies and bodies are synced there, and four slow disk writes must not hold up
// the rest.
process.env["UV_THREADPOOL_SIZE"] ??= "8";

// A reader that has seen enough (`relayctl queue list | head`) is no error.
process.stdout.on("error", () => process.exit());

process.exit(await run(process.argv.slice(2)));
