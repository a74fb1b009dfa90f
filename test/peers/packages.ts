// The peers are Debian's packages, installed where they are missing: as root, and nowhere else. Where that cannot
// be done the tests say so and are skipped, but never on CI.

import { execFileSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";

/** For the `skip` option of a test: false when all packages are there, or why they are not. */
export function missing(...packages: readonly string[]): string | false {
  const absent = packages.filter((name) => !isInstalled(name));
  if (absent.length === 0) return false;
  try {
    install(absent);
    return false;
  } catch (error) {
    const why = `needs ${absent.join(" ")}: ${error instanceof Error ? error.message : String(error)}`;
    if (process.env["CI"] === "true") throw new Error(why, { cause: error });
    return why;
  }
}

function isInstalled(name: string): boolean {
  try {
    const status = run("dpkg-query", "--show", "--showformat=${db:Status-Abbrev}", name);
    return status.startsWith("ii");
  } catch {
    return false;
  }
}

function install(packages: readonly string[]): void {
  if (process.getuid?.() !== 0) throw new Error("only root can install packages");
  const command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", ...packages];
  withoutDaemons(() => {
    try {
      run(...command);
    } catch {
      // A fresh machine has no package lists, an old one has old lists.
      run("apt-get", "update", "-q");
      run(...command);
    }
  });
}

/** The packages' own daemons must not start: their ports may be somebody's. */
function withoutDaemons(work: () => void): void {
  const policy = "/usr/sbin/policy-rc.d";
  if (existsSync(policy)) return work();
  writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    return work();
  } finally {
    rmSync(policy);
  }
}

function run(...argv: readonly string[]): string {
  const [command = "", ...args] = argv;
  return execFileSync(command, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
}
