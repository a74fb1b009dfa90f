// A process that runs retention on the archive at PLACE and kills itself before its STEPth call that changes something.
// Without a kill it prints "whole".

import { unlink } from "node:fs/promises";
import { syncDirectory } from "../../../../src/base/durable/directory.ts";
import { RetainedArchive } from "./retained-archive.ts";

const [place = "", step = ""] = process.argv.slice(2);
let left = Number(step);

function counted(): void {
  if (left-- === 0) process.kill(process.pid, "SIGKILL");
}

/** The same object, whose named calls are counted first. */
function killing<T extends object>(target: T, names: readonly string[]): T {
  return new Proxy(target, {
    get(own, name) {
      const value: unknown = Reflect.get(own, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown => {
        if (names.includes(String(name))) counted();
        return Reflect.apply(value, own, args);
      };
    },
  });
}

const archive = new RetainedArchive(place);
await archive.index.walk();
const retention = archive.retention(
  { keep: "400d" },
  {
    store: killing(archive.store, ["begin", "finish"]),
    manifest: killing(archive.manifest, ["append"]),
    messages: killing(archive.index, ["remove"]),
    files: killing({ unlink, syncDirectory }, ["unlink", "syncDirectory"]),
  },
);
const result = { deleted: 0, octets: 0, isShort: false, nextEnd: 0 };
await Array.fromAsync(retention.run(false, AbortSignal.any([]), result));
await archive.close();
process.stdout.write("whole");
