// relayctl init as a new postmaster runs it: what it writes can be checked and served at once, its secret stays where it
// belongs, and without all answers it writes nothing.

import assert from "node:assert/strict";
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { describe, test } from "node:test";
import { findUser, membersOfGroup } from "../../../src/base/users.ts";
import { OTHER, OURS } from "../../support/certificates.ts";
import { type Finished, Place } from "../../support/program.ts";
import { startRelayProcess } from "../../support/relay-process.ts";

const isRoot = process.getuid?.() === 0;

/** For root a user whose group is its own, as useradd makes one; for others themselves. */
const USER = isRoot
  ? (["daemon", "bin", "games", "sys"].find((name) => {
      const user = findUser(name);
      return user !== undefined && membersOfGroup(user.gid).join(" ") === name;
    }) ?? "")
  : userInfo().username;

const MAIN = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));
const PLACES = ["--directory", "etc", "--spool", "spool", "--mail", "mail", "--user", USER];
const ANSWERS = ["--domain", "example.com", "--hostname", "mx.example.com", "--address"];
const ALL = [...ANSWERS, "192.0.2.25"];
const FILES = [
  "accounts/example.com",
  "next-steps.txt",
  "routers.toml",
  "tls/fullchain.pem",
  "tls/key.pem",
];

class Machine extends Place {
  constructor() {
    super();
    // The relay's user must be able to enter it.
    chmodSync(this.directory, 0o755);
  }

  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  init(...args: string[]): Promise<Finished> {
    return this.relayctl("init", ...PLACES, ...args);
  }

  files(): string[] {
    const entries = readdirSync(this.directory, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.directory.length + 1))
      .toSorted();
  }

  remove(name: string): void {
    rmSync(this.path(name), { force: true });
  }

  read(...names: string[]): string {
    return readFileSync(this.path(...names), "utf8");
  }
}

const inEtc = FILES.map((name) => `etc/${name}`);

function secretOf(machine: Machine): string {
  const secret = /"X-Unseen-Tenant: ([0-9a-f]+)"/.exec(machine.read("etc/routers.toml"))?.[1] ?? "";
  assert.equal(secret.length, 48);
  return secret;
}

/** Root gives files away; another user keeps them, and their modes are the closer ones. */
function ownerAndMode(ofRoot: string, modeOfRoot: string, mode: string): string[] {
  return isRoot ? [ofRoot, modeOfRoot] : ["", mode];
}

async function refused(
  machine: Machine,
  args: readonly string[],
  expected: { code: number; why: RegExp },
): Promise<void> {
  const before = machine.files();
  const { code, stdout, stderr } = await machine.init(...args);
  assert.deepEqual({ code, stdout }, { code: expected.code, stdout: "" }, stderr);
  assert.match(stderr, expected.why);
  assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
  assert.deepEqual(machine.files(), before);
}

describe("relayctl init", () => {
  test("writes what check finds nothing wrong with, and what serve starts with", async () => {
    using machine = new Machine();
    const { code, stdout, stderr } = await machine.init(...ALL);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.deepEqual(machine.files(), inEtc);
    for (const name of inEtc) assert.ok(stdout.includes(`${machine.path(name)}\n`), name);
    const config = machine.path("etc/routers.toml");
    const checked = await machine.relayctl("check", "--config", config);
    assert.deepEqual(checked, { code: 0, stdout: `${config}: ok\n`, stderr: "" });

    const text = machine.read("etc/routers.toml").replace("0.0.0.0:25", "127.0.0.1:0");
    writeFileSync(config, text);
    const relay = await startRelayProcess(config);
    assert.equal(await relay.kill("SIGTERM"), 0);
    assert.doesNotMatch(relay.log(), /relay\.warning/);
    assert.ok(!relay.log().includes(secretOf(machine)));
  });

  test("has another secret each time, and it is in routers.toml only", async () => {
    using one = new Machine();
    using other = new Machine();
    const outputs = [await one.init(...ALL), await other.init("--json", ...ALL)];
    const secrets = [secretOf(one), secretOf(other)];
    assert.notEqual(secrets[0], secrets[1]);
    for (const [index, machine] of [one, other].entries()) {
      const secret = secrets[index] ?? "";
      const holders = inEtc.filter((name) => machine.read(name).includes(secret));
      assert.deepEqual(holders, ["etc/routers.toml"]);
      assert.ok(!JSON.stringify(outputs[index]).includes(secret));
      assert.ok(!JSON.stringify(outputs[index]).includes("PRIVATE KEY"));
    }
  });

  test("lets only the relay read the secrets, and change no more than the accounts", async () => {
    using machine = new Machine();
    await machine.init(...ALL);
    const seen = [...inEtc, "etc", "etc/accounts", "etc/tls", "spool", "mail"].map((name) => {
      const { uid, gid, mode } = statSync(machine.path(name));
      const owner = uid === 0 ? "root" : "relay";
      const group = gid === findUser(USER)?.gid ? "relay" : String(gid);
      return [name, isRoot ? `${owner}:${group}` : "", (mode & 0o7777).toString(8)];
    });
    assert.deepEqual(seen, [
      ["etc/accounts/example.com", ...ownerAndMode("relay:relay", "640", "600")],
      ["etc/next-steps.txt", ...ownerAndMode("root:0", "644", "644")],
      ["etc/routers.toml", ...ownerAndMode("root:relay", "640", "600")],
      ["etc/tls/fullchain.pem", ...ownerAndMode("root:0", "644", "644")],
      ["etc/tls/key.pem", ...ownerAndMode("root:relay", "640", "600")],
      ["etc", ...ownerAndMode("root:0", "755", "755")],
      ["etc/accounts", ...ownerAndMode("relay:relay", "750", "750")],
      ["etc/tls", ...ownerAndMode("root:0", "755", "755")],
      ["spool", ...ownerAndMode("relay:relay", "700", "700")],
      ["mail", ...ownerAndMode("relay:relay", "700", "700")],
    ]);
  });

  test("keeps a certificate that is there, and makes none of its own", async () => {
    using machine = new Machine();
    await machine.init(...ALL);
    const routers = machine.read("etc/routers.toml");
    for (const name of ["routers.toml", "accounts/example.com", "next-steps.txt"]) {
      machine.remove(`etc/${name}`);
    }
    machine.write("etc/tls/fullchain.pem", readFileSync(OURS.certificate));
    machine.write("etc/tls/key.pem", readFileSync(OURS.privateKey));
    const { code, stdout } = await machine.init(...ALL);
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /self-signed/);
    assert.deepEqual(machine.files(), inEtc);
    assert.equal(machine.read("etc/tls/key.pem"), readFileSync(OURS.privateKey, "utf8"));
    assert.notEqual(machine.read("etc/routers.toml"), routers);
  });

  test("prints JSON without a question", async () => {
    using machine = new Machine();
    const { stdout } = await machine.init("--json", ...ALL, "--address", "2001:db8::25");
    const { files, steps } = JSON.parse(stdout);
    assert.deepEqual(files.toSorted(), inEtc.map((name) => machine.path(name)).toSorted());
    for (const { action, reason } of steps) assert.ok(action !== "" && reason !== "");
    const records = steps.flatMap((step: { records?: unknown[] }) => step.records ?? []);
    assert.deepEqual(records[1], { name: "mx.example.com.", type: "AAAA", value: "2001:db8::25" });
  });
});

describe("relayctl init writes nothing", () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /^relayctl init: --domain, --hostname, and --address are missing$/m],
    [["--json"], /--domain, --hostname, and --address are missing/],
    [["--yes", "--domain", "example.com"], /: --hostname and --address are missing/],
    [ANSWERS.slice(0, 4), /: --address is missing/],
    [[...ALL, "--domain", "nowhere"], /^--domain: "nowhere" is no name like example\.com$/m],
    [[...ANSWERS, "10.0.0.1"], /^--address: 10\.0\.0\.1 is no public address/],
    [[...ANSWERS, "2001:db8::1"], /^--address: one IPv4 address is needed/],
    [[...ALL, "--hostname", "EXAMPLE.com."], /^--hostname: example\.com is the mail domain/],
    [[...ALL, "--mail", "spool"], /three directories/],
    [[...ALL, "--mail", "a{b}"], /^--mail: must be a path without braces/],
    [[...ALL, "--directory", "a\nb"], /^--directory: must be a path without/],
    [[...ALL, "--directory", ""], /^--directory: must be a path/],
    [[...ALL, "--config", "routers.toml"], /does not take --config/],
    [[...ALL, "extra"], /too many arguments/],
    ...(isRoot ? [[[...ALL, "--user", "root"], /fewer rights than root/] as const] : []),
  ];
  for (const [args, why] of wrong) {
    test(`with ${JSON.stringify(args.slice(-3))}`, async () => {
      using machine = new Machine();
      await refused(machine, args, { code: 64, why });
      assert.deepEqual(readdirSync(machine.directory), []);
    });
  }

  test("if a file can be written in part only, as on a full disk", () => {
    using machine = new Machine();
    // No file may be longer than one block of 512 octets; the error of the write is EFBIG.
    const limited = `trap '' XFSZ; ulimit -f 1; exec "$0" "$@"`;
    const { status, stdout, stderr } = spawnSync(
      "sh",
      ["-c", limited, process.execPath, MAIN, "init", ...PLACES, ...ALL],
      { cwd: machine.directory, encoding: "utf8" },
    );
    assert.match(stderr, /^cannot write to .*: EFBIG; nothing was written\n$/);
    assert.deepEqual({ status, stdout }, { status: 69, stdout: "" });
    assert.deepEqual(readdirSync(machine.directory), []);
  });

  test("over a file that is there, whichever it is", async () => {
    using machine = new Machine();
    await machine.init(...ALL);
    for (const name of ["routers.toml", "accounts/example.com", "next-steps.txt"]) {
      const others = FILES.filter((other) => other !== name && !other.startsWith("tls/"));
      for (const other of others) machine.remove(`etc/${other}`);
      machine.write(`etc/${name}`, "mine");
      await refused(machine, ALL, { code: 1, why: new RegExp(`${name} exists already`) });
      assert.equal(machine.read(`etc/${name}`), "mine");
    }
  });

  test("beside half a certificate, or the key of another", async () => {
    using machine = new Machine();
    await machine.init(...ALL);
    for (const name of ["routers.toml", "accounts/example.com", "next-steps.txt", "tls/key.pem"]) {
      machine.remove(`etc/${name}`);
    }
    await refused(machine, ALL, { code: 1, why: /fullchain\.pem exists, but .*key\.pem does not/ });
    machine.write("etc/tls/key.pem", readFileSync(OTHER.privateKey));
    await refused(machine, ALL, { code: 1, why: /the key belongs to another certificate/ });
  });

  test("for a user that is not there, or shares its group", async () => {
    using machine = new Machine();
    const why = /no user "unseen-x" .*useradd --system .* unseen-x$/m;
    await refused(machine, [...ALL, "--user", "unseen-x"], { code: 1, why });
    const odd = [...ALL, "--user", "x; reboot"];
    await refused(machine, odd, { code: 1, why: /no user "x; reboot" on this machine$/m });
    const nobody = findUser("nobody");
    if (!isRoot || nobody === undefined || membersOfGroup(nobody.gid).length < 2) return;
    const shared = [...ALL, "--user", "nobody"];
    await refused(machine, shared, { code: 1, why: /could read the secrets/ });
  });
});
