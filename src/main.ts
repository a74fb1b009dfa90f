#!/usr/bin/env node
// The program. All its commands are in src/cli/program.ts.

// SIGHUP tells a relay to read its configuration again. It must not end a relay that is still starting.
if (process.argv.includes("serve")) process.on("SIGHUP", () => undefined);

// Set before the thread pool is first used. Copies and bodies are synced there, and four slow disk writes must not hold
// up the rest. Lists and the log may hang with four threads.
process.env["UV_THREADPOOL_SIZE"] ??= "16";

// A reader may close the pipe early (`relayctl queue list | head`): that is not an error.
process.stdout.on("error", () => process.exit());

const { run } = await import("./cli/program.ts");
process.exit(await run(process.argv.slice(2)));
