// Finds the driver that a table of the file names: a built-in one, or a third party's module that is loaded and checked
// against the contract. A wrong module is a problem of the configuration, never a crash.

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
  /** Options that the driver must not declare, because every table of this kind has them. */
  readonly reserved: readonly string[];
}

export type FoundDriver<Instance> =
  | { readonly driver: Driver<unknown, Instance> }
  | { readonly wrong: string };

/**
 * Drivers import this name wherever they are, for example in /etc/unseen, where no package of that name is installed.
 */
const DRIVER_MODULE = "unseen/driver";
const DRIVER_URL = new URL("../driver.ts", import.meta.url).href;
registerHooks({
  resolve: (name, context, next) =>
    name === DRIVER_MODULE ? { url: DRIVER_URL, shortCircuit: true } : next(name, context),
});

const FILE = /^(?:\.{0,2}\/|file:)/;
const PACKAGE = /^(?:@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~-][\w.~-]*(?:\/[\w.~/-]+)?$/;

/**
 * `written` is a built-in name, "./file.ts", "/file.ts", or a package that can be resolved from the file's directory.
 */
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

/** Returns the module to import, or undefined when the package is not installed. */
function locate(written: string, directory: string): string | undefined {
  if (written.startsWith("file:")) return written;
  if (FILE.test(written)) return pathToFileURL(resolvePath(directory, written)).href;
  if (!PACKAGE.test(written) || isBuiltin(written)) return undefined;
  try {
    return pathToFileURL(createRequire(join(directory, "routers.toml")).resolve(written)).href;
  } catch (error) {
    // A package that is installed and has exports only for `import` is left to Node, resolved from the relay.
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

/** The instances that it creates cannot be checked here. A wrong one shows at the first delivery, which is deferred. */
function isDriver<Instance>(value: unknown): value is Driver<unknown, Instance> {
  return contractProblem(value) === undefined;
}
