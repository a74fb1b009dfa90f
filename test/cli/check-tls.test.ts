// relayctl check: by which rule TLS is spoken to each host, and why.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { outboundConfig } from "../support/build.ts";
import { startDns } from "../support/dns.ts";
import { Place } from "../support/program.ts";

const CONFIG = `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
[[listeners]]
address = "127.0.0.1:0"
${outboundConfig("")}`;

const UNTIL = "2100-01-01T00:00:00.000Z";
const ZONE = {
  "dane.test": {
    MX: [
      [1, "mx1.dane.test"],
      [2, "mx2.dane.test"],
      [3, "mx3.dane.test"],
    ],
  },
  "mx1.dane.test": { A: ["192.0.2.1"] },
  "mx2.dane.test": { A: ["192.0.2.2"] },
  "mx3.dane.test": { A: ["192.0.2.3"] },
  "_25._tcp.mx1.dane.test": {
    TLSA: [
      [3, 1, 1, "00".repeat(32)],
      [3, 0, 1, "00".repeat(32)],
    ],
  },
  "_25._tcp.mx2.dane.test": { TLSA: [[1, 1, 1, "00".repeat(32)]] },
  "sts.test": {
    MX: [
      [1, "mx.sts.test"],
      [2, "mx.other.test"],
    ],
  },
  "_mta-sts.sts.test": { TXT: ["v=STSv1; id=1;"] },
  "mx.sts.test": { A: ["192.0.2.4"] },
  "mx.other.test": { A: ["192.0.2.5"] },
  "plain.test": { A: ["192.0.2.6"] },
  signed: ["dane.test"],
  fail: { "_25._tcp.mx3.dane.test": "SERVFAIL" },
} as const;

test("relayctl check says by which rule TLS is spoken to each host, and why", async () => {
  await using dns = await startDns(ZONE);
  using here = new Place();
  here.write("routers.toml", `${CONFIG}[dns]\nservers = ["${dns.address}"]\ndnssec = true\n`);
  mkdirSync(join(here.directory, "spool/mta-sts"), { recursive: true });
  const text = "version: STSv1\nmode: enforce\nmx: mx.sts.test\nmax_age: 31557600\n";
  const fetchedAt = Date.parse(UNTIL) - 31_557_600_000;
  here.write(
    "spool/mta-sts/sts.test.json",
    JSON.stringify({ domain: "sts.test", id: "1", fetchedAt, text }),
  );

  const check = async (...args: string[]) => {
    const to = ["bob@dane.test", "bob@sts.test", "bob@plain.test"];
    const as = ["--client", "127.0.0.1", "--from", "alice@example.com"];
    return (await here.relayctl("check", "--config", "routers.toml", ...as, ...to, ...args)).stdout;
  };
  const told = (await check()).replaceAll(/\n {10}(?! )/g, " ").split("\n");
  const lines = told.filter((line) => line.startsWith("  tls"));
  assert.deepEqual(lines, [
    "  tls     mx1.dane.test: DANE: 2 TLSA records, secure",
    "  tls     mx2.dane.test: DANE: 1 TLSA record, none usable: TLS with any certificate",
    `  tls     mx3.dane.test: nothing is sent: TLSA of mx3.dane.test: SERVFAIL (127.0.0.1)`,
    `  tls     mx.sts.test: MTA-STS enforce, cached until ${UNTIL}`,
    `  tls     mx.other.test: nothing is sent: not in the MTA-STS policy, cached until ${UNTIL}`,
    "  tls     opportunistic: no policy",
  ]);

  const { recipients } = JSON.parse(await check("--json"));
  assert.deepEqual(
    recipients.map(({ deliveries }: { deliveries: { tls: { rule: string }[] }[] }) =>
      deliveries[0]?.tls.map(({ rule }) => rule),
    ),
    [["dane", "dane", "barred"], ["mta-sts", "barred"], ["opportunistic"]],
  );
});
