import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { accountOf, isAccountTemplate } from "../../../src/parts/proxies/account.ts";

describe("the account of a login", () => {
  test("comes from the template, in lower case", () => {
    const cases = [
      ["{user}", "Alice@Example.COM", "alice@example.com"],
      ["{user}", "alice", "alice@default.example"],
      ["{user_local_part}", "Alice@example.com", "alice"],
      ["{user_local_part}@{user_domain}", "a@b@c.example", "a@b@c.example"],
      ["{user_local_part}@archive.example", "alice@old.example", "alice@archive.example"],
    ];
    for (const [account = "", login = "", wanted] of cases) {
      const found = accountOf(login, { account, default_domain: "default.example" });
      assert.equal(found?.account, wanted);
    }
    assert.deepEqual(accountOf("a@B", { account: "{user}" }), {
      account: "a@b",
      localPart: "a",
      domain: "b",
    });
  });

  test("is undefined if the template asks for a domain and there is none", () => {
    assert.equal(accountOf("alice", { account: "{user_domain}/{user}" }), undefined);
    assert.deepEqual(accountOf("alice", { account: "{user}" }), {
      account: "alice",
      localPart: "alice",
    });
  });

  test("templates have the three placeholders and no others", () => {
    assert.deepEqual(
      ["{user}", "x-{user_local_part}", "{usr}", "user", "{user", "{user}}", "{}"].map(
        isAccountTemplate,
      ),
      [true, true, false, false, false, false, false],
    );
  });
});
