// relayctl serve as systemd sees it: ready, signals, exit codes, and what keeps it from starting.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { open } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Place } from "../support/program.ts";
import { Wire } from "../support/wire.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

function config(port = 0): string {
  return `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
[[listeners]]
address = "127.0.0.1:${port}"
[domains]
ours = ["example.com"]
[gate]
local_domains = "+ours"
[[routers]]
name = "all"
driver = "accept"
domains = "+ours"
transport = "nowhere"
[transports.nowhere]
driver = "discard"
`;
}

class Serving implements AsyncDisposable {
  readonly child;
  stdout = "";
  stderr = "";
  readonly #exit: Promise<unknown[]>;

  constructor({ directory }: Place) {
    const args = [MAIN, "serve", "--config", "routers.toml"];
    this.child = spawn(process.execPath, args, {
      cwd: directory,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.#exit = once(this.child, "close");
  }

  /** Resolves when `seen` is true of what the process has said. Rejects when it ends before. */
  async until(seen: () => boolean): Promise<void> {
    while (!seen()) {
      const said = Promise.race([once(this.child.stdout, "data"), once(this.child.stderr, "data")]);
      const over = this.#exit.then(() => "over");
      const first = await Promise.race([said, over]);
      assert.ok(first !== "over" || seen(), `it ended: ${this.stdout}${this.stderr}`);
    }
  }

  async ready(): Promise<number> {
    await this.until(
      () => this.stderr.includes("ready\n") && this.stdout.includes("relay.started"),
    );
    return Number(/"listeners":\["127\.0\.0\.1:(\d+)"\]/.exec(this.stdout)?.[1]);
  }

  get events(): readonly string[] {
    return this.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).event);
  }

  async exit(): Promise<number | null> {
    await this.#exit;
    return this.child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.#exit;
  }
}

suite("relayctl serve", () => {
  test("says ready once when it listens, logs JSON lines, and SIGTERM ends it with 0", async () => {
    using here = new Place();
    here.write("routers.toml", config());
    await using relay = new Serving(here);
    const port = await relay.ready();
    using wire = await Wire.open(port);
    assert.match(await wire.reply(), /^220 mx\.example\.com /);
    assert.match(await wire.ask("QUIT"), /^221 /);
    relay.child.kill("SIGTERM");
    assert.equal(await relay.exit(), 0);
    assert.equal(relay.stderr, "ready\n");
    assert.deepEqual(
      relay.events.filter((event) => event !== "relay.warning"),
      ["spool.recovered", "relay.started", "relay.stopping", "relay.stopped"],
    );
  });

  test("SIGTERM lets a transaction end, and a second one does not wait for it", async () => {
    using here = new Place();
    here.write("routers.toml", config());
    await using relay = new Serving(here);
    using wire = await Wire.open(await relay.ready());
    await wire.reply();
    await wire.ask("EHLO client.example.net");
    await wire.ask("MAIL FROM:<carol@example.net>");
    relay.child.kill("SIGTERM");
    await relay.until(() => relay.stdout.includes("relay.stopping"));
    assert.match(await wire.ask("RCPT TO:<alice@example.com>"), /^250 /);
    relay.child.kill("SIGTERM");
    // A thread that does not end in its time is ended by the signal itself, which a shell reports as 143 too.
    const code = await relay.exit();
    assert.ok(code === 143 || relay.child.signalCode === "SIGTERM", `exit ${code}`);
  });

  test("relayctl reload --accept-lists says which lists are believed now, and which never", async () => {
    using here = new Place();
    const lists = [`"!lsearch:short"`, `"!lsearch:empty"`].join(", ");
    here.write(
      "routers.toml",
      config().replace('driver = "accept"', `driver = "accept"\nlocal_parts = [${lists}]`),
    );
    const short = here.write("short", "a\nb\nc\n");
    const empty = here.write("empty", "a\n");
    await using relay = new Serving(here);
    await relay.until(() => relay.stderr.includes("ready"));
    const accept = () => here.relayctl("reload", "--accept-lists", "--config", "routers.toml");
    assert.match((await accept()).stdout, /Every list was believed already\.\n$/);
    here.write("short", "a\n");
    here.write("empty", "");
    const accepted = await accept();
    assert.equal(accepted.code, 1);
    assert.match(accepted.stdout, new RegExp(`^${short}: accepted as it is$`, "m"));
    assert.equal(accepted.stderr, `${empty}: not accepted: it has no entry left, of 1\n`);
    await relay.until(() => relay.stdout.includes("list.believed"));
  });

  test("SIGHUP and relayctl reload put a new configuration in force, and a wrong one never", async () => {
    using here = new Place();
    here.write("routers.toml", config());
    await using relay = new Serving(here);
    const port = await relay.ready();
    here.write("routers.toml", `${config()}[nonsense]\n`);
    relay.child.kill("SIGHUP");
    await relay.until(() => relay.stdout.includes("relay.reload_refused"));
    const refused = await here.relayctl("reload", "--config", "routers.toml");
    assert.equal(refused.code, 78);
    assert.match(refused.stderr, /routers\.toml:\d+: nonsense: /);

    here.write("routers.toml", config().replace("mx.example.com", "mx.example.org"));
    relay.child.kill("SIGHUP");
    await relay.until(() => relay.stdout.includes("relay.reloaded"));
    using wire = await Wire.open(port);
    assert.match(await wire.reply(), /^220 mx\.example\.org /);
    here.write("routers.toml", config().replace("[[lis", 'history = "1d"\n[[lis'));
    assert.deepEqual(await here.relayctl("reload", "--config", "routers.toml"), {
      code: 0,
      stdout: `The new configuration is in force, on 127.0.0.1:${port}.\nrelay.history: as it was; restart the relay to change it\n`,
      stderr: "",
    });
    relay.child.kill("SIGTERM");
    assert.equal(await relay.exit(), 0);
    const nobody = await here.relayctl("reload", "--config", "routers.toml");
    assert.equal(nobody.code, 69);
    assert.match(nobody.stderr, /no relay answers/);
  });

  test("a SIGHUP that comes before it is ready is heeded when it is", async () => {
    using here = new Place();
    execFileSync("mkfifo", [join(here.directory, "routers.toml")]);
    await using relay = new Serving(here);
    // A pipe is opened for writing when the relay opens it for reading, and not before.
    const first = await open(join(here.directory, "routers.toml"), "w");
    relay.child.kill("SIGHUP");
    await first.writeFile(config());
    await first.close();
    await relay.ready();
    const second = await open(join(here.directory, "routers.toml"), "w");
    await second.writeFile(config());
    await second.close();
    await relay.until(() => relay.stdout.includes("relay.reloaded"));
    assert.equal(relay.stderr, "ready\n");
  });

  test("a closed log does not end it", async () => {
    using here = new Place();
    here.write("routers.toml", config());
    await using relay = new Serving(here);
    using wire = await Wire.open(await relay.ready());
    await wire.reply();
    relay.child.stdout.destroy();
    await wire.ask("EHLO client.example.net");
    await wire.ask("MAIL FROM:<carol@example.net>");
    assert.match(await wire.ask("RCPT TO:<dave@example.org>"), /^550 /);
    await relay.until(() => relay.stderr.includes("log lines are lost"));
    assert.match(await wire.ask("RSET"), /^250 /);
    relay.child.kill("SIGTERM");
    assert.equal(await relay.exit(), 0);
  });

  test("a second relay on the spool is exit 75, in one line", async () => {
    using here = new Place();
    here.write("routers.toml", config());
    await using first = new Serving(here);
    await first.ready();
    await using second = new Serving(here);
    assert.equal(await second.exit(), 75);
    assert.equal(second.stderr, `another relay is running on the spool ${here.directory}/spool\n`);
  });

  test("a port in use is exit 69, in one line", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    using here = new Place();
    here.write("routers.toml", config(address.port));
    await using relay = new Serving(here);
    assert.equal(await relay.exit(), 69);
    assert.equal(
      relay.stderr,
      `cannot listen on 127.0.0.1 port ${address.port}: the port is in use\n`,
    );
    server.close();
  });

  test("a spool directory that cannot be made is exit 69, in one line", async () => {
    using here = new Place();
    const spool = "/proc/unseen/spool";
    here.write("routers.toml", config().replace('"spool"', `"${spool}"`));
    await using relay = new Serving(here);
    assert.equal(await relay.exit(), 69);
    assert.equal(
      relay.stderr,
      "cannot create the directory /proc/unseen: the file system does not allow for it\n",
    );
  });

  test("a spool that cannot be opened is exit 69, in one line", async () => {
    using here = new Place();
    mkdirSync(join(here.directory, "spool"));
    here.write("spool/lock", "I am not a database. ".repeat(100));
    here.write("routers.toml", config());
    await using relay = new Serving(here);
    assert.equal(await relay.exit(), 69);
    const spool = join(here.directory, "spool");
    assert.equal(relay.stderr, `cannot open the spool ${spool}: file is not a database\n`);
  });

  test("a wrong configuration is exit 78, with every problem", async () => {
    using here = new Place();
    here.write("routers.toml", config().replace("hostname", "hostnam"));
    await using relay = new Serving(here);
    assert.equal(await relay.exit(), 78);
    assert.match(relay.stderr, /^routers\.toml:1: relay\.hostname: .*\nrouters\.toml:2: .*\n$/);
    assert.equal(relay.stdout, "");
  });

  test("a part without a process of its own is exit 64", async () => {
    using here = new Place();
    here.write("routers.toml", config());
    assert.deepEqual(await here.relayctl("serve", "mta_sts", "--config", "routers.toml"), {
      code: 64,
      stdout: "",
      stderr: '"mta_sts" is no part with a process of its own; these have: archive, web, proxies\n',
    });
  });

  test("the socket of a relay that was killed is taken over", async () => {
    using here = new Place();
    here.write("routers.toml", config());
    await using first = new Serving(here);
    await first.ready();
    first.child.kill("SIGKILL");
    await first.exit();
    await using second = new Serving(here);
    await second.ready();
    const asked = await here.relayctl("queue", "retry", "--all", "--config", "routers.toml");
    assert.deepEqual(asked, { code: 0, stdout: "0 messages due now\n", stderr: "" });
    assert.ok(!second.stdout.includes("control socket"), second.stdout);
  });
});
