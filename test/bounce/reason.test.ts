import assert from "node:assert/strict";
import { test } from "node:test";

import { reasonFor } from "../../src/bounce/reason.ts";
import { status } from "../../src/mail/status.ts";
import { reply } from "./report.ts";

const happened = (...said: Parameters<typeof status>) => reasonFor(reply(...said)).happened;

test("each class of refusal is said in words of its own", () => {
  assert.match(happened(550, "1.1", "no"), /no such mailbox/);
  // The domain may exist, and nobody may have told us where its mail goes.
  assert.match(happened(550, "1.2", "no"), /no such domain, or it has no mail system/);
  assert.match(happened(556, "1.10", "null MX"), /not take any mail/);
  assert.match(happened(552, "2.2", "over quota"), /mailbox is full/);
  assert.match(happened(552, "3.4", "no"), /too big/);
  assert.match(happened(554, "4.6", "too many hops"), /in a circle/);
  assert.match(happened(550, "7.1", "not authorized"), /refused the message by its own rules/);
  assert.match(happened(550, "7.26", "unauthenticated"), /really comes from you/);
  assert.match(happened(530, "7.10", "TLS please"), /must travel encrypted/);
});

test("spam is known by its words, but only in a refusal of content or policy", () => {
  assert.match(happened(550, "7.1", "Rejected as SPAM"), /took the message for spam/);
  assert.match(happened(554, "0.0", "listed in our blocklist"), /took the message for spam/);
  assert.match(happened(550, "1.1", "no user spam@example.net"), /no such mailbox/);
});

test("a temporary answer does not claim what only a final one knows", () => {
  assert.match(happened(450, "1.1", "unverified"), /for the time being/);
  assert.match(happened(451, "7.1", "greylisted"), /come back later/);
  assert.match(happened(452, "2.2", "full"), /mailbox is full/);
  assert.match(happened(451, "4.1", "cannot connect"), /could not be reached/);
});

test("a fault of ours is not laid at their door", () => {
  const ours = status(451, "3.0", "Temporary local problem");
  assert.match(reasonFor(ours).happened, /our own mail system/);
  assert.match(happened(451, "3.0", "Temporary local problem"), /Their mail system/);
});

test("what has no known code still has a reason and an advice", () => {
  for (const code of [400, 550]) {
    for (const detail of ["0.0", "9.99", "7.999", "constructor.x", ""]) {
      const { happened: what, advice } = reasonFor(status(code, detail, "x"));
      assert.match(`${what} ${advice}`, /^[A-Z].*\. .*\.$/);
    }
  }
});
