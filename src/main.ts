#!/usr/bin/env node
// The program. Everything it can do stands in src/cli/program.ts.

// SIGHUP tells a relay to read its configuration again, and must not end one that has yet to read it.
if (process.argv.includes("serve")) process.on("SIGHUP", () => undefined);

// Before anything uses the pool: copies and bodies are synced there, and four slow disk writes must not hold up
// the rest. Lists and the log may hang with four threads.
process.env["UV_THREADPOOL_SIZE"] ??= "16";

// A reader that has seen enough (`relayctl queue list | head`) is no error.
process.stdout.on("error", () => process.exit());

const { run } = await import("./cli/program.ts");
process.exit(await run(process.argv.slice(2)));
