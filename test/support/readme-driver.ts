// The example drivers of the READMEs, extracted from the page and loaded like a third party's driver, from a file
// beside the configuration. So an example that no longer works fails a test.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after } from "node:test";
import { chainOptions, transportOptions } from "../../src/route/chain-options.ts";
import { type DriverKind, findDriver } from "../../src/config/drivers.ts";
import type { Router, Transport } from "../../src/contract/contract.ts";
import { routerDrivers } from "../../routers/index.ts";
import { transportDrivers } from "../../transports/index.ts";

const project = fileURLToPath(new URL("../../", import.meta.url));

/** Writes the ```ts block of the page that begins with "// NAME:", and returns its directory. */
export function exampleDirectory(page: string, name: string): string {
  const directory = mkdtempSync(join(tmpdir(), "unseen-example-"));
  after(() => rmSync(directory, { recursive: true, force: true }));
  const blocks = readFileSync(join(project, page), "utf8").matchAll(/^```ts\n(.*?)^```$/gms);
  const source = Array.from(blocks, ([, block = ""]) => block).find((block) =>
    block.startsWith(`// ${name}:`),
  );
  if (source === undefined) throw new Error(`${page} has no example ${name}`);
  writeFileSync(join(directory, name), source);
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
  return directory;
}

export const exampleRouter = (directory: string, name: string) =>
  found<Router>(directory, name, {
    word: "router",
    builtIn: routerDrivers,
    reserved: Object.keys(chainOptions.fields),
  });

export const exampleTransport = (directory: string, name: string) =>
  found<Transport>(directory, name, {
    word: "transport",
    builtIn: transportDrivers,
    reserved: Object.keys(transportOptions.fields),
  });

async function found<Instance>(directory: string, name: string, kind: DriverKind<Instance>) {
  const result = await findDriver(`./${name}`, kind, directory);
  if ("wrong" in result) throw new Error(`${name}: ${result.wrong}`);
  return result.driver;
}

/** The compiler's errors for the file, with the options of the project; "" without errors. */
export function compilerErrors(directory: string, name: string): string {
  const settings = {
    extends: join(project, "tsconfig.json"),
    compilerOptions: {
      typeRoots: [join(project, "node_modules/@types")],
      paths: { "unseen/driver": [join(project, "src/driver.ts")] },
    },
    include: [name],
  };
  writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(settings));
  try {
    execFileSync(join(project, "node_modules/.bin/tsc"), ["-p", directory], { encoding: "utf8" });
    return "";
  } catch (error) {
    return error instanceof Error && "stdout" in error ? String(error.stdout) : String(error);
  }
}
