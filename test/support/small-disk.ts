// A file system of a few megabytes, for tests that fill it. It needs root.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class SmallDisk implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "unseen-disk-"));

  /** Undefined if this machine does not let the test mount one. */
  static of(size: string): SmallDisk | undefined {
    if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
    const disk = new SmallDisk();
    const mount = ["-t", "tmpfs", "-o", `size=${size},mode=0700`, "tmpfs", disk.path];
    if (spawnSync("mount", mount).status === 0) return disk;
    rmSync(disk.path, { recursive: true });
    return undefined;
  }

  [Symbol.dispose](): void {
    spawnSync("umount", ["-l", this.path]);
    rmSync(this.path, { recursive: true, force: true });
  }
}
