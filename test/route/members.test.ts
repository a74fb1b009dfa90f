// Members of a group: the chain adds a copy for each of them that the router's own lists take.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Decision } from "../../src/contract/contract.ts";
import { LOCAL_ERROR } from "../../src/mail/status.ts";
import { mailbox } from "../support/build.ts";
import {
  accept,
  deliveriesOf,
  preconditionsWith,
  request,
  routed,
  router,
  troublesOf,
} from "./chain.ts";
import type { Match } from "../../src/lists/lists.ts";

const members = (...addresses: string[]): Decision => ({
  kind: "accept",
  transport: "copies",
  members: addresses.map(mailbox),
});

/** Takes example.com and example.net, and everyone there but "ghost"; "slow" cannot be looked up; al is alice. */
const LISTS = preconditionsWith({
  domains: {
    match: (domain): Match =>
      domain.startsWith("example.") && domain !== "example.org"
        ? { kind: "in", key: domain, why: "" }
        : { kind: "out", why: "" },
  },
  localParts: {
    match: (localPart): Match => {
      const key = localPart.toLowerCase();
      if (key === "ghost") return { kind: "out", why: "" };
      if (key === "slow") return { kind: "defer", why: "it does not answer" };
      if (key === "al") return { kind: "in", key: "alice", domain: "example.com", why: "" };
      return { kind: "in", key, why: "" };
    },
  },
});

const copies = (decision: Decision) =>
  router("copy", decision, { unseen: true, preconditions: LISTS });
const google = router("google", accept("smtp"));

const toGroup = (decision: Decision, given = request) =>
  routed([copies(decision), google], "team@example.com", given);

test("each member that the lists take has a copy, and the mail goes to the group alone", async () => {
  const routing = await toGroup(
    members("Alice@example.com", "bob@example.net", "x@example.org", "ghost@example.com"),
  );
  assert.deepEqual(deliveriesOf(routing), [
    "copy:copies:team@example.com:copy",
    "copy:copies:Alice@example.com:copy",
    "copy:copies:bob@example.net:copy",
    "google:smtp:team@example.com",
  ]);
  assert.deepEqual(routing.deliveries[1]?.account, { domain: "example.com", localPart: "alice" });
  assert.equal(routing.deliveries[1]?.original.address, "team@example.com");
  assert.deepEqual(routing.troubles, []);
});

test("one copy for an account, whatever names lead to it", async () => {
  const routing = await toGroup(
    members("alice@example.com", "al@example.net", "ALICE@example.com", "team@example.com"),
  );
  assert.deepEqual(deliveriesOf(routing), [
    "copy:copies:team@example.com:copy",
    "copy:copies:alice@example.com:copy",
    "google:smtp:team@example.com",
  ]);
});

test("a member that cannot be looked up defers its own copy only", async () => {
  const routing = await toGroup(members("slow@example.com", "alice@example.com"));
  assert.deepEqual(deliveriesOf(routing).length, 3);
  assert.deepEqual(troublesOf(routing), ["deferred:copy:slow@example.com:4.3.0:copy"]);
});

test("members that are not known defer their copies, and not the mail or the copy of the group", async () => {
  const membersLater = { status: LOCAL_ERROR, why: "unreadable" };
  const routing = await toGroup({ kind: "accept", transport: "copies", membersLater });
  assert.deepEqual(deliveriesOf(routing), [
    "copy:copies:team@example.com:copy",
    "google:smtp:team@example.com",
  ]);
  assert.deepEqual(troublesOf(routing), ["deferred:copy:team@example.com:4.3.0:copy"]);
});

test("members get copies even from a router that takes the mail itself", async () => {
  const taking = router("taking", members("alice@example.com"), { preconditions: LISTS });
  const routing = await routed([taking, google], "team@example.com");
  assert.deepEqual(deliveriesOf(routing), [
    "taking:copies:team@example.com",
    "taking:copies:alice@example.com:copy",
  ]);
});

test("members of another shape are a driver's bug, and defer", async () => {
  for (const wrong of ["alice@example.com", [{ address: "alice@example.com" }], [null]]) {
    const decision: Decision = JSON.parse(
      JSON.stringify({ kind: "accept", transport: "copies", members: wrong }),
    );
    const routing = await toGroup(decision);
    assert.deepEqual(troublesOf(routing), ["deferred:copy:team@example.com:4.3.0:copy"]);
    assert.deepEqual(deliveriesOf(routing), ["google:smtp:team@example.com"]);
  }
});
