import assert from "node:assert/strict";
import { test } from "node:test";
import type { Account } from "../../src/mail/account.ts";
import { parseDirectory } from "../../src/maildir/placeholders.ts";

function template(written: string) {
  const parsed = parseDirectory(written);
  assert.ok("ok" in parsed, JSON.stringify(parsed));
  return parsed.ok;
}

const BOB: Account = {
  domain: "example.com",
  localPart: "bob",
  senderDomain: "example.org",
  senderLocalPart: "alice",
};

test("each placeholder is replaced by its canonical key", () => {
  const cases = [
    ["/mail/{domain}/{local_part}", "/mail/example.com/bob"],
    ["/mail/{sender_domain}/{sender_local_part}/.Sent", "/mail/example.org/alice/.Sent"],
    ["/mail/{local_part}-{local_part}@{domain}", "/mail/bob-bob@example.com"],
    ["/mail/all", "/mail/all"],
  ] as const;
  for (const [written, path] of cases) {
    assert.deepEqual(template(written).expand(BOB), { kind: "path", path });
  }
});

test("a login has an account and a folder, which is empty or a name of Maildir++", () => {
  const login = {
    account: "bob@example.com",
    accountDomain: "example.com",
    accountLocalPart: "bob",
  };
  const folders = template("/mail/{account_domain}/{account_local_part}/{folder}");
  for (const [folder, path] of [
    ["", "/mail/example.com/bob"],
    [".Sent", "/mail/example.com/bob/.Sent"],
    [".A.B", "/mail/example.com/bob/.A.B"],
    [".Entw&APw-rfe", "/mail/example.com/bob/.Entw&APw-rfe"],
  ] as const) {
    assert.deepEqual(folders.expand({ ...login, folder }), { kind: "path", path });
  }
  for (const folder of ["Sent", ".", "..", ".A.", ".A..B", ".A/B", ".A\0", `.${"a".repeat(255)}`]) {
    assert.equal(folders.expand({ ...login, folder }).kind, "unsafe", folder);
  }
  assert.equal(folders.expand(login).kind, "unsafe");
  assert.deepEqual(template("/mail/{account}").expand(login), {
    kind: "path",
    path: "/mail/bob@example.com",
  });
});

test("the root is the directory above the first placeholder", () => {
  assert.equal(template("/var/mail/{domain}/{local_part}").root, "/var/mail");
  assert.equal(template("/var/mail/x{domain}").root, "/var/mail");
  assert.equal(template("/var/mail/all").root, "/var/mail");
});

test("a misspelt placeholder is named, with what was probably meant", () => {
  assert.deepEqual(parseDirectory("/mail/{domian}/{local_part}"), {
    wrong: 'has no placeholder {domian}, did you mean "domain"?',
  });
  for (const text of ["$domain", "${local_part}", "$local_part_data", "$sender_address_domain"]) {
    assert.deepEqual(parseDirectory(`/mail/${text}/x`), {
      wrong: `has "${text}", which means nothing here: placeholders are like {domain}`,
    });
  }
  assert.deepEqual(parseDirectory("/mail/{}"), { wrong: "has no placeholder {}" });
  assert.deepEqual(parseDirectory("/mail/{__proto__}"), {
    wrong: "has no placeholder {__proto__}",
  });
});

test("a brace without its partner is a mistake", () => {
  for (const written of ["/mail/{domain", "/mail/domain}", "/mail/{{domain}}", "/mail/}{"]) {
    assert.deepEqual(parseDirectory(written), { wrong: "has a brace without its partner" });
  }
});

test("a value that is not one safe path component is never used", () => {
  const unsafe = [
    "",
    ".",
    "..",
    ".hidden",
    "a/b",
    "/",
    "../../etc",
    "nul\0",
    "line\n",
    "escape\u001b[0m",
    "c1\u0085",
    "replaced\ufffd",
    "half\ud83d",
    "x".repeat(256),
    "\u00e9".repeat(128),
  ];
  for (const localPart of unsafe) {
    const expanded = template("/mail/{domain}/{local_part}").expand({ ...BOB, localPart });
    assert.deepEqual(expanded, {
      kind: "unsafe",
      why: "the value of {local_part} is no safe directory name",
      value: localPart,
    });
  }
});

test("names that only look odd are used as they are", () => {
  for (const localPart of [
    "a..b",
    "-rf",
    "bob+x",
    "jos\u00e9",
    "x".repeat(255),
    "a b",
    "{domain}",
    "$&",
  ]) {
    const expanded = template("/mail/{local_part}").expand({ localPart });
    assert.deepEqual(expanded, { kind: "path", path: `/mail/${localPart}` });
  }
});

test("a placeholder that no list vouched for has no path", () => {
  assert.deepEqual(template("/mail/{local_part}").expand({ domain: "example.com" }), {
    kind: "unsafe",
    why: "no list of the router gave a value for {local_part}",
    value: undefined,
  });
});
