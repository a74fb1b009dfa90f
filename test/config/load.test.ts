// What a right configuration becomes: every option read, every default filled in, every path absolute.

import assert from "node:assert/strict";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Configuration } from "../../src/config/configuration.ts";
import {
  CERTIFICATE,
  directory,
  load,
  PRIVATE_KEY,
  problemsOf,
  RIGHT,
  write,
} from "./configuration.ts";

const FILES = fileURLToPath(new URL("files/", import.meta.url));
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const BOUNCE = {
  bounce_to: "authenticated",
  frozen_after: 96 * HOUR,
  warn_after: [24 * HOUR],
  return_size_limit: 102_400,
};

describe("the configuration of a Google Workspace domain", () => {
  const file = join(directory, "google-workspace.toml");
  let configuration: Configuration;

  before(async () => {
    copyFileSync(join(FILES, "google-workspace.toml"), file);
    copyFileSync(CERTIFICATE, join(directory, "certificate.pem"));
    copyFileSync(PRIVATE_KEY, join(directory, "private-key.pem"));
    configuration = await load(file);
  });

  test("remembers where it comes from", () => {
    assert.equal(configuration.file, file);
    assert.equal(configuration.directory, directory);
  });

  test("has what stands in [relay], and the defaults of what does not", () => {
    assert.deepEqual(configuration.relay, {
      hostname: "mx.example.com",
      spool_directory: "/var/spool/unseen",
      spool_reserve: 50 * 2 ** 20,
      spool_reserve_inodes: 1000,
      user: "unseen",
      control_socket: join(directory, "run/control.sock"),
      postmaster: undefined,
      dkim: [],
      history: 7 * 86_400_000,
      history_size_limit: 2 ** 29,
      message_size_limit: 50 * 2 ** 20,
      received_headers_max: 30,
      addresses_max: 1000,
      recipients_max: 1000,
      connections_max: 1000,
      connections_per_client_max: 50,
      connections_per_network_max: 200,
      messages_per_client_rate: undefined,
      recipients_per_client_rate: undefined,
      refused_recipients_per_client_rate: { count: 300, window: 3_600_000 },
      greeting_delay: 0,
      data_rate_min: 100,
      bare_newlines: "reject",
      tls_timeout: 30_000,
      command_line_max: 2048,
      text_line_max: 2 ** 16,
      protocol_errors_max: 20,
      refused_recipients_max: 50,
      junk_commands_max: 100,
      requiretls: "relay",
      dsn: "relay",
      command_timeout: 5 * MINUTE,
      message_timeout: 30 * MINUTE,
      session_timeout: 2 * HOUR,
    });
  });

  test("has its listener, with paths from the file's directory", () => {
    assert.deepEqual(configuration.listeners, [
      {
        address: { host: "0.0.0.0", port: 25, written: "0.0.0.0:25" },
        protocol: "smtp",
        tls: "starttls",
        certificate: join(directory, "certificate.pem"),
        private_key: join(directory, "private-key.pem"),
        certificates: [],
        client_certificates: undefined,
        proxy_hosts: undefined,
      },
    ]);
  });

  test("has its named lists, and the system's DNS servers", () => {
    assert.deepEqual(configuration.dns, { servers: undefined, dnssec: false });
    assert.deepEqual(configuration.domains, new Map([["ours", ["example.com"]]]));
    assert.deepEqual(
      configuration.hosts,
      new Map([
        ["google_relays", ["spf:_spf.google.com"]],
        ["trusted", ["127.0.0.1", "::1"]],
      ]),
    );
  });

  test("has its gate, with the rules in their order", () => {
    assert.deepEqual(configuration.gate, {
      local_domains: ["+ours"],
      dnsbl: [],
      dnsbl_action: "refuse",
      authentication: { policy: "off" },
      relay: [
        {
          hosts: ["+trusted"],
          sender_domains: ["*"],
          sender_local_parts: undefined,
          client_certificates: undefined,
          rate: undefined,
          sender_rate: undefined,
          require_tls: false,
          proof: undefined,
          null_sender: undefined,
        },
        {
          hosts: ["+google_relays"],
          sender_domains: ["+ours"],
          sender_local_parts: undefined,
          client_certificates: undefined,
          rate: undefined,
          sender_rate: undefined,
          require_tls: true,
          proof: { header: ["X-Unseen-Tenant: s3cret"], dkim: ["+ours"] },
          null_sender: "proof",
        },
      ],
    });
  });

  test("has its routers in their order, each with the options of the chain", () => {
    assert.deepEqual(
      configuration.routers.map(({ name, driver, chain }) => [name, driver.name, chain.unseen]),
      [
        ["gmail_outgoing", "sender-match", true],
        ["gmail_users", "unseen-copy", true],
        ["gmail_remote", "accept", false],
        ["world", "dnslookup", false],
      ],
    );
    assert.deepEqual(configuration.routers[1]?.chain, {
      name: "gmail_users",
      driver: "unseen-copy",
      domains: ["+ours"],
      local_parts: ["lsearch:gmail_accounts"],
      sender_domains: undefined,
      sender_local_parts: undefined,
      relayed: undefined,
      restored: false,
      unseen: true,
      cutthrough: false,
      more: true,
    });
    assert.deepEqual(configuration.routers[2]?.options, { transport: "gmail" });
  });

  test("has its transports by name", () => {
    assert.deepEqual(
      [...configuration.transports].map(([name, { driver }]) => [name, driver.name]),
      [
        ["gmail", "smtp"],
        ["remote_smtp", "smtp"],
        ["gmail_local_delivery", "maildir-append"],
        ["store_outgoing_copy", "maildir-append"],
      ],
    );
  });

  test("has its retry rules and its reports", () => {
    assert.deepEqual(
      configuration.retry.map(({ match, rules }) => [match, rules.map(({ kind }) => kind)]),
      [["*", ["F", "G", "F"]]],
    );
    assert.deepEqual(configuration.bounce, BOUNCE);
  });
});

describe("a short configuration", () => {
  test("retries and reports by default", async () => {
    const { retry, bounce, gate, listeners } = await load(write("short.toml", RIGHT));
    assert.equal(retry.length, 1);
    assert.equal(retry[0]?.rules.length, 3);
    assert.deepEqual(bounce, BOUNCE);
    assert.deepEqual(gate.relay, []);
    assert.equal(listeners[0]?.tls, "none");
  });

  test("may turn off the copy of a router that copies by default", async () => {
    const text = RIGHT.replace('driver = "accept"', 'driver = "unseen-copy"\nunseen = false');
    const { routers } = await load(write("plain.toml", text));
    assert.equal(routers[0]?.chain.unseen, false);
  });
});

function withDriver(driver: string, more = ""): string {
  return RIGHT.replace('driver = "accept"', `driver = "${driver}"\n${more}`);
}

/** What is said of a driver in a file with this source. */
async function wrong(driver: string, source?: string): Promise<string> {
  if (source !== undefined) write(driver, source);
  const [line = "", ...more] = await problemsOf(withDriver(driver));
  assert.deepEqual(more, []);
  return line.replace(/^routers\.toml:13: routers\[0\]\.driver: /, "");
}

describe("a driver of a third party", () => {
  test("is loaded from a path that starts at the file's directory", async () => {
    mkdirSync(join(directory, "deep"), { recursive: true });
    write("greylist.mjs", `export { default } from ${JSON.stringify(join(FILES, "greylist.ts"))};`);
    const text = withDriver("../greylist.mjs", 'wait = "1h"');
    const { routers } = await load(write("deep/routers.toml", text));
    assert.equal(routers[0]?.driver.name, "greylist");
    assert.deepEqual(routers[0]?.options, { transport: "gmail", wait: HOUR });
  });

  test("is loaded from a package that is installed beside the file", async () => {
    const folder = join(directory, "node_modules/unseen-greylist");
    mkdirSync(folder, { recursive: true });
    write("node_modules/unseen-greylist/package.json", '{"type":"module","exports":"./index.js"}');
    write(
      "node_modules/unseen-greylist/index.js",
      `export { default } from ${JSON.stringify(join(FILES, "greylist.ts"))};`,
    );
    const { routers } = await load(write("package.toml", withDriver("unseen-greylist")));
    assert.equal(routers[0]?.driver.name, "greylist");
  });

  test("has its options checked like those of our own", async () => {
    const driver = join(FILES, "greylist.ts");
    assert.deepEqual(await problemsOf(withDriver(driver, 'waits = "1h"')), [
      'routers.toml:14: routers[0].waits: unknown option, did you mean "wait"?',
    ]);
    const text = withDriver(driver).replace('transport = "gmail"', 'transport = "gmial"');
    assert.deepEqual(await problemsOf(text), [
      'routers.toml:16: routers[0].transport: there is no transport "gmial", did you mean "gmail"?',
    ]);
  });

  test("that is not there is a problem", async () => {
    assert.match(await wrong("./nowhere.ts"), /^cannot be loaded: .*nowhere\.ts/);
    assert.match(
      await wrong("nowhere"),
      /^there is no router driver "nowhere"; there are accept, /,
    );
    assert.match(await wrong("fs"), /^there is no router driver "fs"/);
  });

  test("that throws or cannot be parsed is a problem in one line", async () => {
    const thrown = await wrong("./throws.mjs", "throw new Error('no\\nluck');");
    assert.equal(thrown, "cannot be loaded: Error: no luck");
    assert.match(
      await wrong("./broken.mjs", "export default {"),
      /^cannot be loaded: SyntaxError: /,
    );
  });

  test("that breaks the contract is a problem", async () => {
    const is = "is no router driver: ";
    assert.equal(
      await wrong("./none.mjs", "export const driver = {};"),
      `${is}the module has no object as its default export`,
    );
    assert.equal(await wrong("./a.mjs", "export default {};"), `${is}it has no name`);
    assert.equal(
      await wrong("./b.mjs", "export default { name: 'b' };"),
      `${is}it has no function create`,
    );
    assert.equal(
      await wrong(
        "./c.mjs",
        "export default { name: 'c', create() {}, options: { fields: { x: 1 } } };",
      ),
      `${is}its options are not made by options()`,
    );
    assert.equal(
      await wrong(
        "./d.mjs",
        "export default { name: 'd', create() {}, options: { fields: { unseen: {} }, read() {} } };",
      ),
      "cannot be used: its option unseen is one that every router has",
    );
  });
});
