// Finds the driver that a table of the file names: one of ours, or a third party's module that is loaded and
// held against the contract. A wrong module is a problem of the configuration, never a crash.

import { createRequire, isBuiltin, registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Driver } from "../contract/contract.ts";
import { errorCode } from "../base/error-code.ts";
import { describeError } from "../observe/log.ts";
import { resolvePath, suggestion } from "../options/options.ts";
import { isTable } from "../base/table.ts";

export interface DriverKind<Instance> {
  readonly word: "router" | "transport";
  readonly builtIn: ReadonlyMap<string, Driver<unknown, Instance>>;
  /** Options that the driver cannot have, because every table of this kind has them. */
  readonly reserved: readonly string[];
}

export type FoundDriver<Instance> =
  | { readonly driver: Driver<unknown, Instance> }
  | { readonly wrong: string };

/** A driver imports this name from wherever it is, /etc/unseen for example, where no package of that name can be found. */
const DRIVER_MODULE = "unseen/driver";
const DRIVER_URL = new URL("../driver.ts", import.meta.url).href;
registerHooks({
  resolve: (name, context, next) =>
    name === DRIVER_MODULE ? { url: DRIVER_URL, shortCircuit: true } : next(name, context),
});

const FILE = /^(?:\.{0,2}\/|file:)/;
const PACKAGE = /^(?:@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~-][\w.~-]*(?:\/[\w.~/-]+)?$/;

/** `written` is a name of ours, "./file.ts", "/file.ts" or a package that the file's directory can see. */
export async function findDriver<Instance>(
  written: string,
  kind: DriverKind<Instance>,
  directory: string,
): Promise<FoundDriver<Instance>> {
  const own = kind.builtIn.get(written);
  if (own !== undefined) return { driver: own };
  const location = locate(written, directory);
  if (location === undefined) {
    const names = [...kind.builtIn.keys()];
    const hint = suggestion(written, names) || `; there are ${names.join(", ")}`;
    return { wrong: `there is no ${kind.word} driver "${written}"${hint}` };
  }
  try {
    const loaded: unknown = await import(location);
    return checked(loaded, kind);
  } catch (error) {
    return { wrong: `cannot be loaded: ${describeError(error).replaceAll(/\s*\n\s*/g, " ")}` };
  }
}

/** What to import, or undefined when no such package is installed. */
function locate(written: string, directory: string): string | undefined {
  if (written.startsWith("file:")) return written;
  if (FILE.test(written)) return pathToFileURL(resolvePath(directory, written)).href;
  if (!PACKAGE.test(written) || isBuiltin(written)) return undefined;
  try {
    return pathToFileURL(createRequire(join(directory, "routers.toml")).resolve(written)).href;
  } catch (error) {
    // A package that is there and only has exports for `import` is left to Node, as seen from the relay.
    return errorCode(error) === "MODULE_NOT_FOUND" ? undefined : written;
  }
}

function checked<Instance>(loaded: unknown, kind: DriverKind<Instance>): FoundDriver<Instance> {
  const driver =
    typeof loaded === "object" && loaded !== null && "default" in loaded
      ? loaded.default
      : undefined;
  const wrong = contractProblem(driver);
  if (wrong !== undefined || !isDriver<Instance>(driver)) {
    return { wrong: `is no ${kind.word} driver: ${wrong}` };
  }
  const clash = kind.reserved.find((key) => key in driver.options.fields);
  if (clash === undefined) return { driver };
  return { wrong: `cannot be used: its option ${clash} is one that every ${kind.word} has` };
}

function contractProblem(driver: unknown): string | undefined {
  if (!isTable(driver)) return "the module has no object as its default export";
  const { name, options, create } = driver;
  if (typeof name !== "string" || name === "") return "it has no name";
  if (typeof create !== "function") return "it has no function create";
  const fields = isTable(options) && typeof options["read"] === "function" && options["fields"];
  const made = isTable(fields) && Object.values(fields).every(isTable);
  return made ? undefined : "its options are not made by options()";
}

/** What instances it makes cannot be seen from outside; the first delivery shows it, and defers if wrong. */
function isDriver<Instance>(value: unknown): value is Driver<unknown, Instance> {
  return contractProblem(value) === undefined;
}
