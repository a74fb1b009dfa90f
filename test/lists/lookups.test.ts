import { rmSync } from "node:fs";
import { after } from "node:test";
import { lsearch } from "../../src/lists/lsearch-lookup.ts";
import { spf } from "../../src/lists/spf-lookup.ts";
import { testHostLookup, testNameLookup } from "../conformance/lookup.ts";
import { bench, txtResolver } from "./support.ts";

const place = bench();
after(() => rmSync(place.directory, { recursive: true, force: true }));

testNameLookup(lsearch, {
  right: ["accounts", "/etc/unseen/accounts", "./a b", "a:b"],
  wrong: ["", " accounts", "accounts ", " "],
  withBob: (value) => place.write(`accounts-${value}`, `bob: ${value}\n`),
  unreadable: "/nowhere/at/all",
});

testHostLookup(spf, {
  right: ["_spf.google.com", "EXAMPLE.com"],
  wrong: ["", "no domain", "[192.0.2.1]", "*.example.com"],
  argument: "x.test",
  services: { resolver: txtResolver(() => ({ "x.test": ["v=spf1 ip4:192.0.2.1 -all"] })) },
});
