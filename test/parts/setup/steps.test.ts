// The steps after relayctl init: every record that is needed, in the order in which no mail is lost, and no secret.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type StepsOf, stepsOf } from "../../../src/parts/setup/steps.ts";
import { stepsText } from "../../../src/parts/setup/text.ts";

const MADE: StepsOf = {
  domains: ["example.com"],
  hostname: "mx.example.com",
  addresses: ["192.0.2.25", "2001:db8::25"],
  directory: "/etc/unseen",
  isSelfSigned: true,
};

function recordsOf(made: StepsOf): string[] {
  return stepsOf(made).flatMap(({ records = [] }) =>
    records.map(({ name, type, value }) => `${name} ${type} ${value}`),
  );
}

function placeOf(made: StepsOf, wanted: RegExp): number {
  const found = stepsOf(made).findIndex((step) => wanted.test(JSON.stringify(step)));
  assert.notEqual(found, -1, String(wanted));
  return found;
}

describe("the records of the DNS", () => {
  test("name the relay, let its addresses lead back, and cover both names by SPF", () => {
    assert.deepEqual(recordsOf(MADE), [
      "mx.example.com. A 192.0.2.25",
      "mx.example.com. AAAA 2001:db8::25",
      "25.2.0.192.in-addr.arpa. PTR mx.example.com.",
      "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR mx.example.com.",
      'mx.example.com. TXT "v=spf1 ip4:192.0.2.25 ip6:2001:db8::25 -all"',
      'example.com. TXT "v=spf1 include:_spf.google.com ip4:192.0.2.25 ip6:2001:db8::25 ~all"',
      '_dmarc.example.com. TXT "v=DMARC1; p=none; rua=mailto:postmaster@example.com"',
      "example.com. MX 10 mx.example.com.",
    ]);
  });

  test("are there for each of several domains", () => {
    const records = recordsOf({ ...MADE, domains: ["example.com", "example.net"] });
    for (const type of ["MX", "TXT"]) {
      assert.ok(records.some((record) => record.startsWith(`example.net. ${type} `)));
    }
    assert.equal(records.filter((record) => record.startsWith("mx.example.com. TXT ")).length, 1);
  });

  test("have no IPv6 if the relay has none", () => {
    assert.doesNotMatch(recordsOf({ ...MADE, addresses: ["192.0.2.25"] }).join("\n"), /ip6|AAAA/);
  });
});

test("what could lose mail comes after what protects from that", () => {
  const order = [
    /in-addr\.arpa/,
    /relayctl serve/,
    /as inbound gateway/,
    /Change route: the new route/,
    /"MX"/,
    /Outbound gateway: mx/,
    /turn \\"Reject all mail not from gateway IPs\\" on/,
  ];
  const places = order.map((wanted) => placeOf(MADE, wanted));
  assert.deepEqual(
    places,
    places.toSorted((one, other) => one - other),
  );
  assert.ok(placeOf(MADE, /_spf\.google\.com/) < placeOf(MADE, /Change route/));
});

describe("the text of the steps", () => {
  test("is numbered, gives each a reason, and has prose of at most 80 columns", () => {
    const text = stepsText(stepsOf(MADE));
    const numbers = Array.from(text.matchAll(/^ ?(\d+)\. /gm), ([, number]) => Number(number));
    assert.deepEqual(
      numbers,
      stepsOf(MADE).map((_, index) => index + 1),
    );
    // What is copied stands on one line, six columns in.
    const prose = text.split("\n").filter((line) => !line.startsWith("      "));
    assert.deepEqual(
      prose.filter((line) => line.length > 80),
      [],
    );
    for (const { reason } of stepsOf(MADE)) assert.match(reason, /^[A-Z].*\.$/);
  });

  test("names the file of the configuration where it is not the usual one", () => {
    const text = stepsText(stepsOf({ ...MADE, directory: "/srv/it's here" }));
    assert.ok(text.includes(`relayctl check --config '/srv/it'\\''s here/routers.toml'\n`));
    assert.doesNotMatch(stepsText(stepsOf(MADE)), /--config/);
  });

  test("asks for a public certificate only where there is none of others", () => {
    assert.match(stepsText(stepsOf(MADE)), /Replace the self-signed certificate/);
    const own = stepsText(stepsOf({ ...MADE, isSelfSigned: false }));
    assert.doesNotMatch(own, /self-signed|until the certificate is public/);
  });
});
