// Exim and Postfix as Debian builds them, side by side on one machine although the packages exclude each other:
// each is unpacked into a folder of its own, with the libraries this machine lacks, and laid over /usr and /etc
// in a mount namespace of its own. Nothing is installed and nothing of the machine is changed. For the benchmark, and
// for tests with a package that cannot be installed beside another.

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

const CACHE = process.env["UNSEEN_PACKAGE_CACHE"] ?? "/var/cache/unseen-packages";

export interface Unpacked {
  /** Holds usr/ and etc/ of the package and of what it needs. */
  readonly tree: string;
  readonly version: string;
}

/** For the `skip` option of a test: false when the package is there, or why it is not. On CI it must be. */
export function notUnpacked(name: string): string | false {
  try {
    if (process.getuid?.() !== 0) throw new Error("only root can lay packages over /usr");
    unpack(name);
    run("unshare", ["--mount", "--pid", "--fork", "true"]);
    return false;
  } catch (error) {
    const why = `needs ${name}: ${error instanceof Error ? error.message : String(error)}`;
    if (process.env["CI"] === "true") throw new Error(why, { cause: error });
    return why;
  }
}

/** Downloads once; later runs take what is in the cache. */
export function unpack(name: string): Unpacked {
  const tree = path.join(CACHE, name);
  const marker = path.join(tree, "version");
  if (!fs.existsSync(marker)) {
    const missing = missingPackages(name);
    fs.rmSync(tree, { recursive: true, force: true });
    for (const part of ["usr", "etc", "archives"]) {
      fs.mkdirSync(path.join(tree, part), { recursive: true });
    }
    const archives = path.join(tree, "archives");
    if (missing.length > 0) {
      const versions = missing.map((it) => `${it.name}=${it.version}`);
      run("apt-get", ["-q", "download", ...versions], archives);
    }
    for (const file of fs.readdirSync(archives)) {
      run("dpkg-deb", ["--extract", path.join(archives, file), tree], tree);
    }
    const version = missing.find((it) => it.name === name)?.version ?? installedVersion(name);
    fs.writeFileSync(marker, version);
  }
  return { tree, version: fs.readFileSync(marker, "utf8") };
}

/** What apt would install on this machine for this package, itself included. */
function missingPackages(name: string): { name: string; version: string }[] {
  const simulate = ["-s", "--no-install-recommends", "install", name];
  let plan: string;
  try {
    plan = run("apt-get", simulate);
  } catch {
    // A fresh machine has no package lists yet.
    run("apt-get", ["-q", "update"]);
    plan = run("apt-get", simulate);
  }
  return [...plan.matchAll(/^Inst (\S+)(?: \[\S+\])? \((\S+)/gm)].map(
    ([, packageName = "", version = ""]) => ({ name: packageName, version }),
  );
}

function installedVersion(name: string): string {
  return run("dpkg-query", ["--show", "--showformat=${Version}", name]);
}

function run(command: string, args: readonly string[], cwd = "/"): string {
  return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** An /etc to lay over the machine's: its accounts, and these system users with a group of the same name. */
export function etcWithUsers(directory: string, users: readonly string[]): void {
  fs.mkdirSync(directory, { recursive: true });
  let passwd = fs.readFileSync("/etc/passwd", "utf8");
  let group = fs.readFileSync("/etc/group", "utf8");
  for (const [index, user] of users.entries()) {
    const id = 64_900 + index;
    if (!new RegExp(`^${user}:`, "m").test(passwd)) {
      passwd += `${user}:x:${id}:${id}::/nonexistent:/usr/sbin/nologin\n`;
    }
    if (!new RegExp(`^${user}:`, "m").test(group)) group += `${user}:x:${id}:\n`;
  }
  fs.writeFileSync(path.join(directory, "passwd"), passwd);
  fs.writeFileSync(path.join(directory, "group"), group);
}

/** New directories that belong to a user of that /etc. */
export function makeOwned(
  directory: string,
  names: readonly string[],
  etc: string,
  user: string,
): void {
  const passwd = fs.readFileSync(path.join(etc, "passwd"), "utf8");
  const [, uid, gid] = new RegExp(`^${user}:[^:]*:(\\d+):(\\d+):`, "m").exec(passwd) ?? [];
  for (const name of names) {
    fs.mkdirSync(path.join(directory, name));
    fs.chownSync(path.join(directory, name), Number(uid), Number(gid));
  }
}

/**
 * The command that runs `argv` as if the package and this /etc were installed, in a process namespace of its
 * own: when it is killed, so are all processes that it left behind.
 */
export function asInstalled(tree: string, etc: string, argv: readonly string[]): string[] {
  const script = [
    `mount -t overlay -o "lowerdir=${tree}/usr:/usr" overlay /usr`,
    `mount -t overlay -o "lowerdir=${etc}:${tree}/etc:/etc" overlay /etc`,
    // Not exec: the shell stays, to reap the processes that the relay leaves to process 1.
    `"$@"; exit $?`,
  ].join(" && ");
  return [
    "unshare",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "sh",
    "-c",
    script,
    "sh",
    ...argv,
  ];
}
