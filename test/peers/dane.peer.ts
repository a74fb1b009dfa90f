// DANE on DNSSEC that nobody has faked: what Unbound calls authentic, bogus or unsigned, and what becomes of the mail.

import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { createResolver } from "../../src/dns/create-resolver.ts";
import { statusLine } from "../../src/mail/status.ts";
import { readOptions } from "../conformance/driver.ts";
import { context, subject } from "../conformance/router.ts";
import { association, Authority } from "../support/authority.ts";
import { batch, recipient } from "../support/build.ts";
import { fakeServices } from "../support/services.ts";
import { startSink } from "../support/sink.ts";
import { dnslookup } from "../../routers/dnslookup.ts";
import { smtp } from "../../transports/smtp.ts";
import { missing } from "./packages.ts";
import { startValidator } from "./validator.ts";

const skip = missing("bind9", "bind9-utils", "unbound");

/** Changes the record that is all "ab". */
function spoil(signed: string): string {
  return signed.replaceAll(/AB(?:AB)+/g, (hex) => hex.replace("AB", "AC"));
}

test("Unbound validates, and DANE follows", { skip }, async () => {
  using authority = new Authority();
  const middle = authority.issue({ authority: true });
  const {
    chain: cert,
    key,
    certificate,
  } = authority.issue({ names: ["mx.signed.test", "ta.signed.test"] }, middle);
  await using sink = await startSink({ tls: true, server: { cert, key } });
  const records = [
    ...["ee", "ta", "wrong", "none", "spoilt"].flatMap((name) => [
      `${name} IN MX 10 mx.${name}`,
      `mx.${name} IN A 127.0.0.1`,
    ]),
    `_${sink.port}._tcp.mx.ee IN TLSA 3 1 1 ${association(certificate, 1, 1)}`,
    `_${sink.port}._tcp.mx.ta IN TLSA 2 0 2 ${association(middle.certificate, 0, 2)}`,
    `_${sink.port}._tcp.mx.wrong IN TLSA 3 1 1 ${"00".repeat(32)}`,
    `_${sink.port}._tcp.mx.spoilt IN TLSA 3 1 1 ${"ab".repeat(32)}`,
    "alias IN MX 10 mx.alias",
    "mx.alias IN CNAME mx.ee",
  ];
  await using validator = await startValidator(
    { name: "signed.test", records, spoil },
    "plain.test",
  );
  const resolver = createResolver({
    servers: [validator.address],
    clock: systemClock,
    dnssec: true,
  });
  const services = fakeServices({ clock: systemClock, resolver });
  const router = dnslookup.create(
    readOptions(dnslookup, { transport: "smtp", ignore_target_hosts: [] }),
    services,
  );
  const transport = smtp.create(readOptions(smtp, { port: sink.port }), services);

  const send = async (domain: string): Promise<string> => {
    const decision = await router.route(subject(`bob@${domain}`), context());
    assert.ok(decision.kind === "accept" && decision.hosts !== undefined, domain);
    const given = batch([recipient(`bob@${domain}`)], { hosts: decision.hosts });
    const [outcome] = (await transport.deliver(given, new AbortController().signal)).values();
    return outcome === undefined ? "nothing" : statusLine(outcome.status);
  };
  for (const [domain, expected] of [
    ["ee.signed.test", /^250 /],
    ["ta.signed.test", /^250 /],
    ["alias.signed.test", /^250 /],
    ["none.signed.test", /^250 /],
    ["wrong.signed.test", /^451 4\.7\.5 The certificate matches no TLSA record/],
    ["spoilt.signed.test", /^451 4\.7\.5 The TLSA records of .* cannot be looked up/],
    ["wrong.plain.test", /^250 /],
    ["spoilt.plain.test", /^250 /],
  ] as const) {
    assert.match(await send(domain), expected, domain);
  }
  await transport.close?.();
  await resolver.close();
});
