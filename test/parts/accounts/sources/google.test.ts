// Google's directory, read whole or not at all: pages, scopes, and every way in which the answers can be wrong.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { DirectoryError, type FoundDirectory } from "../../../../src/parts/accounts/source.ts";
import { type GoogleOptions, readGoogle } from "../../../../src/parts/accounts/sources/google.ts";
import type { Clock } from "../../../../src/base/clock.ts";
import { type FakeGoogle, type Fault, startGoogle } from "../../../support/google.ts";
import { mailbox } from "../../../support/build.ts";

/** Time passes ten times as fast: a request ends after 2 s, a sync after 6 s. */
const SPEED = 10;
const HURRIED: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now() * SPEED,
  after(delay, callback) {
    const timeout = setTimeout(callback, delay / SPEED);
    return { cancel: () => clearTimeout(timeout) };
  },
};

interface Case {
  readonly options?: Partial<GoogleOptions>;
  readonly keyFile?: string;
}

async function read(google: FakeGoogle, { options, keyFile }: Case = {}): Promise<FoundDirectory> {
  const directory = mkdtempSync(join(tmpdir(), "google-"));
  const path = join(directory, "key.json");
  writeFileSync(path, keyFile ?? google.keyFile(), { mode: 0o600 });
  try {
    return await readGoogle(
      {
        api: google.base,
        key_file: path,
        subject: mailbox("admin@example.com"),
        customer: "my_customer",
        group_members: undefined,
        domains: ["example.com"],
        ...options,
      },
      { clock: HURRIED, random: () => 1 },
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The error of a read that must fail. No secret may be in it. */
async function failure(google: FakeGoogle, given: Case = {}): Promise<DirectoryError> {
  try {
    await read(google, given);
  } catch (error) {
    assert.ok(error instanceof DirectoryError, String(error));
    assert.doesNotMatch(error.message, /\n/);
    for (const secret of google.secrets) assert.ok(!String(error.stack).includes(secret), secret);
    return error;
  }
  return assert.fail("it was read");
}

function scopeOf({ tokens }: FakeGoogle, request: number): string {
  const scope = tokens.claims[request]?.["scope"];
  assert.ok(typeof scope === "string");
  return scope;
}

const user = (name: string) => ({ primaryEmail: `${name}@example.com` });
const group = (name: string) => ({ email: `${name}@example.com` });

test("users and groups come with all their addresses, in lower case, and with their state", async () => {
  await using google = await startGoogle();
  google.users = [
    {
      primaryEmail: "Alice@Example.COM",
      aliases: ["Alice.Smith@example.com"],
      nonEditableAliases: ["alice@example.com.test-google-a.com"],
    },
    { primaryEmail: "bob@example.com", suspended: true },
    { primaryEmail: "carol@example.com", archived: true },
    { primaryEmail: "dave@example.com", suspended: false, archived: false },
    { primaryEmail: "no address" },
    { primaryEmail: "x y@example.com", aliases: ["xy@example.com", '"x y"@example.com'] },
  ];
  google.groups = [{ email: "Sales@example.com", aliases: ["verkauf@example.com"] }];
  const { users, groups, members } = await read(google);
  assert.deepEqual(users, [
    {
      address: "alice@example.com",
      aliases: ["alice.smith@example.com", "alice@example.com.test-google-a.com"],
      state: "active",
    },
    { address: "bob@example.com", aliases: [], state: "suspended" },
    { address: "carol@example.com", aliases: [], state: "archived" },
    { address: "dave@example.com", aliases: [], state: "active" },
    { address: "xy@example.com", aliases: [], state: "active" },
  ]);
  assert.deepEqual(groups, [
    { address: "sales@example.com", aliases: ["verkauf@example.com"], state: "active" },
  ]);
  assert.equal(members, undefined);
});

test("pages are followed, 500 users and 200 groups at a time", async () => {
  await using google = await startGoogle();
  google.users = Array.from({ length: 1201 }, (_, index) => user(`u${index}`));
  google.groups = Array.from({ length: 401 }, (_, index) => group(`g${index}`));
  const { users, groups } = await read(google);
  assert.equal(new Set(users.map(({ address }) => address)).size, 1201);
  assert.equal(groups.length, 401);
  const asked = google.requests.filter((request) => request.startsWith("GET"));
  assert.equal(asked.length, 6);
  assert.match(asked[0] ?? "", /maxResults=500/);
  assert.match(asked[3] ?? "", /maxResults=200/);
});

test("members are asked for only with group_members, of the groups that are ours", async () => {
  await using google = await startGoogle();
  google.users = [user("alice"), user("bob")];
  google.groups = [group("all"), group("sales"), { email: "team@example.org" }];
  google.members = {
    "all@example.com": [{ type: "CUSTOMER" }],
    "sales@example.com": [
      { type: "USER", email: "Alice@example.com" },
      { type: "GROUP", email: "all@example.com" },
      { type: "USER", email: "x@example.org" },
    ],
  };
  await read(google);
  assert.doesNotMatch(scopeOf(google, 0), /member/);
  const { members } = await read(google, { options: { group_members: "members" } });
  assert.match(scopeOf(google, 1), /admin\.directory\.group\.member\.readonly/);
  assert.deepEqual(
    members,
    new Map([
      ["all@example.com", ["alice@example.com", "bob@example.com"]],
      ["sales@example.com", ["alice@example.com", "all@example.com", "x@example.org"]],
    ]),
  );
});

test("the service account asks in the name of the subject, or in its own", async () => {
  await using google = await startGoogle();
  google.users = [user("alice")];
  await read(google);
  await read(google, { options: { subject: undefined } });
  assert.deepEqual(
    google.tokens.claims.map(({ sub }) => sub),
    ["admin@example.com", undefined],
  );
});

describe("a fault that may pass is tried again", { concurrency: true }, () => {
  const faults: readonly Fault[] = [
    { status: 403, reason: "userRateLimitExceeded" },
    { status: 403, reason: "quotaExceeded" },
    { status: 429 },
    { status: 500 },
    { status: 503, retryAfter: "5" },
    "html",
    "cut",
    "reset",
  ];
  for (const fault of faults) {
    test(JSON.stringify(fault), async () => {
      await using google = await startGoogle();
      google.users = [user("alice")];
      google.groups = [group("all")];
      google.fault("/token", fault);
      google.fault("/users", fault, fault);
      google.fault("/groups", fault);
      const { users, groups } = await read(google);
      assert.deepEqual([users.length, groups.length], [1, 1]);
    });
  }

  test("a token that has ended is replaced once", async () => {
    await using google = await startGoogle();
    google.users = [user("alice")];
    google.fault("/users", { status: 401, reason: "authError" });
    assert.equal((await read(google)).users.length, 1);
    assert.equal(google.tokens.given.length, 2);
    google.always("/users", { status: 401, reason: "authError" });
    assert.equal((await failure(google)).kind, "refused");
  });
});

const at = (path: string, fault: Fault) => (google: FakeGoogle) => google.always(path, fault);

describe("a fault that stays", { concurrency: true }, () => {
  type Kind = DirectoryError["kind"];
  const cases: Readonly<Record<string, readonly [(google: FakeGoogle) => void, Kind, RegExp]>> = {
    "no users at all times": [at("/users", { status: 500 }), "unreachable", /500/],
    "users as HTML": [at("/users", "html"), "unreachable", /JSON/],
    "users cut": [at("/users", "cut"), "unreachable", /./],
    "users that never come": [at("/users", "silent"), "unreachable", /./],
    "users that come too slowly": [at("/users", "drip"), "unreachable", /./],
    "users that do not end": [at("/users", "endless"), "unreachable", /octets|large|long/i],
    "no token": [at("/token", { status: 500 }), "unreachable", /./],
    "groups after users": [at("/groups", { status: 500 }), "half", /part.*groups.*500/],
    "groups as HTML": [at("/groups", "html"), "half", /groups/],
    "groups never allowed": [
      at("/groups", { status: 403, reason: "forbidden" }),
      "refused",
      /the fake says forbidden/,
    ],
    "groups that never come": [at("/groups", "silent"), "unreachable", /./],
    "groups that do not exist": [
      at("/groups", { status: 404, reason: "notFound" }),
      "half",
      /groups/,
    ],
    "a page that names itself": [at("/users", "same page"), "half", /lead back|twice/],
    "pages that do not end": [at("/users", "more pages"), "half", /twice/],
  };
  for (const [how, [spoil, kind, message]] of Object.entries(cases)) {
    test(how, async () => {
      await using google = await startGoogle();
      google.users = [user("alice")];
      google.groups = [group("all")];
      spoil(google);
      const error = await failure(google);
      assert.equal(error.kind, kind, error.message);
      assert.match(error.message, message);
    });
  }

  test("a page of users that is missing", async () => {
    for (const fault of [{ status: 404 }, { status: 500 }, { status: 403, reason: "forbidden" }]) {
      await using google = await startGoogle();
      google.users = [user("alice"), user("bob")];
      google.pageSize = 1;
      google.fault("/users", "none");
      google.always("/users", fault);
      assert.equal((await failure(google)).kind, "half", JSON.stringify(fault));
    }
  });

  test("members of one group, while others never come", async () => {
    await using google = await startGoogle();
    google.users = [user("alice")];
    google.groups = [group("silent"), group("all")];
    google.always("/silent@example.com/members", "silent");
    assert.equal((await failure(google, { options: { group_members: "m" } })).kind, "half");
  });

  test("members of one group", async () => {
    await using google = await startGoogle();
    google.users = [user("alice")];
    google.groups = [group("all")];
    assert.equal((await failure(google, { options: { group_members: "m" } })).kind, "half");
  });
});

describe("an answer of another shape is not taken for an empty one", () => {
  const answers: readonly string[] = [
    '{"users":{}}',
    '{"users":"none"}',
    '{"users":[null]}',
    '{"users":[[]]}',
    '{"users":[{}]}',
    '{"users":[{"primaryEmail":7}]}',
    '{"users":[{"primaryEmail":"a@example.com","aliases":"b@example.com"}]}',
    '{"users":[{"primaryEmail":"a@example.com","aliases":[7]}]}',
    '{"users":[],"nextPageToken":7}',
  ];
  for (const body of answers) {
    test(body, async () => {
      await using google = await startGoogle();
      google.always("/users", { status: 200, body });
      assert.equal((await failure(google)).kind, "half");
    });
  }
});

describe("credentials and rights", () => {
  const cases: Readonly<
    Record<
      string,
      readonly [(google: FakeGoogle) => Case | undefined, DirectoryError["kind"], RegExp]
    >
  > = {
    "a key file that is none": [() => ({ keyFile: "no json" }), "key", /key\.json/],
    "a key file without a key": [
      (google) => ({ keyFile: google.keyFile({ private_key: "none" }) }),
      "key",
      /key\.json/,
    ],
    "a subject without delegation": [
      (google) => void (google.tokens.scopes = []),
      "refused",
      /unauthorized to retrieve access tokens.*admin\.google\.com/,
    ],
    "a subject that does not exist": [
      () => ({ options: { subject: mailbox("ghost@example.com") } }),
      "refused",
      /Invalid email or User ID/,
    ],
    "no role of its own": [
      (google) => {
        google.tokens.hasRole = false;
        return { options: { subject: undefined } };
      },
      "refused",
      /Not Authorized to access this resource.*admin\.google\.com/,
    ],
    "another customer": [
      () => ({ options: { customer: "C02other" } }),
      "refused",
      /Invalid Input.*customer/,
    ],
  };
  for (const [how, [spoil, kind, message]] of Object.entries(cases)) {
    test(how, async () => {
      await using google = await startGoogle();
      google.users = [user("alice")];
      const error = await failure(google, spoil(google));
      assert.equal(error.kind, kind, error.message);
      assert.match(error.message, message);
    });
  }
});
