import assert from "node:assert/strict";
import { readFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { base32 } from "../../../src/parts/users/base32.ts";
import { isArgon2Of, parseArgon2 } from "../../../src/users/argon2.ts";
import { Place, relayctl } from "../../support/program.ts";
import { workspaceConfig } from "../../support/build.ts";

const HEAD = `[relay]
hostname = "mx.example.com"
spool_directory = "spool"
[[listeners]]
address = "127.0.0.1:0"
`;

class Users extends Place {
  readonly file = join(this.directory, "users");

  constructor() {
    super();
    this.write("routers.toml", HEAD + workspaceConfig(25));
    this.write("gmail_accounts", "alice\nbob\nbob.smith: bob\n");
  }

  run(args: string, input?: string) {
    return relayctl(["--config", "routers.toml", "users", ...args.split(" ")], {
      cwd: this.directory,
      ...(input === undefined ? {} : { input }),
    });
  }

  get text(): string {
    return existsSync(this.file) ? readFileSync(this.file, "utf8") : "";
  }

  async hasPassword(address: string, password: string): Promise<boolean> {
    const line = this.text.split("\n").find((one) => one.startsWith(`${address}:`)) ?? "";
    const hash = parseArgon2(/\{ARGON2ID\}([^:]*)/.exec(line)?.[1] ?? "");
    return hash !== undefined && isArgon2Of(hash, password);
  }
}

describe("relayctl users", () => {
  test("add reads the first line as the password, and trims nothing but its end", async () => {
    using place = new Users();
    for (const [address, input, password] of [
      ["alice@example.com", " ge heim \nmore\n", " ge heim "],
      ["bob@example.com", "zweites\r\n", "zweites"],
      ["carol@example.com", "ohne Ende", "ohne Ende"],
    ] as const) {
      const { code, stderr } = await place.run(`add ${address}`, input);
      assert.equal(code, 0, stderr);
      assert.ok(await place.hasPassword(address, password), address);
      assert.equal(stderr.includes("is no account"), address.startsWith("carol"));
    }
    assert.match(place.text, /^alice@example\.com:\{ARGON2ID\}\$argon2id\$[^:]*::::::\n/);
  });

  test("errors change nothing", async () => {
    using place = new Users();
    await place.run("add alice@example.com --role auditor", "geheim\n");
    const before = place.text;
    for (const [args, input, expected] of [
      ["add alice@example.com", "neu\n", 1],
      ["add ALICE@example.com", "neu\n", 1],
      ["add bob.smith@example.com", "x\n", 1],
      ["add bob@example.com", "", 1],
      ["add bob@example.com", "\n", 1],
      ["add bob@example.com", "a\u0000b\n", 1],
      ["add bob@example.com --role boss", "x\n", 64],
      ["add bob", "x\n", 64],
      ["add b:ob@example.com", "x\n", 64],
      ["add", "x\n", 64],
      ["passwd alice@example.com", "\n", 1],
      ["passwd carol@example.com", "x\n", 1],
      ["role alice@example.com boss", "", 64],
      ["role carol@example.com admin", "", 1],
      ["remove carol@example.com", "", 1],
      ["totp alice@example.com off", "", 1],
      ["totp alice@example.com maybe", "", 64],
      ["totp carol@example.com on", "", 1],
      ["list carol@example.com", "", 1],
      ["invite", "", 64],
      ["invite --all bob@example.com", "", 64],
    ] as const) {
      const { code, stderr } = await place.run(args, input);
      assert.equal(code, expected, `${args}: ${stderr}`);
      assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
      assert.equal(place.text, before, args);
    }
  });

  test("passwd, role, totp, list and remove", async () => {
    using place = new Users();
    place.write("users", "# ours\ncarol@example.com:{SHA512-CRYPT}x:1:2::/home::\n");
    await place.run("add alice@example.com", "geheim\n");
    await place.run("passwd alice@example.com", "neu\n");
    assert.ok(await place.hasPassword("alice@example.com", "neu"));
    await place.run("role alice@example.com admin");
    const { stdout } = await place.run("totp alice@example.com on");
    const [, secret = ""] = /secret=([A-Z2-7]{32})&/.exec(stdout) ?? [];
    assert.match(place.text, new RegExp(`unseen_role=admin unseen_totp=${secret}\n$`));
    assert.equal((await place.run("totp alice@example.com on")).code, 1);
    const listed = await place.run("list --json");
    assert.deepEqual(JSON.parse(listed.stdout), [
      {
        address: "carol@example.com",
        role: "none",
        totp: false,
        must_change: false,
        scheme: "SHA512-CRYPT",
      },
      {
        address: "alice@example.com",
        role: "admin",
        totp: true,
        must_change: false,
        scheme: "ARGON2ID",
      },
    ]);
    assert.equal((await place.run("totp alice@example.com off")).code, 0);
    assert.equal((await place.run("remove alice@example.com")).code, 0);
    assert.equal(place.text, "# ours\ncarol@example.com:{SHA512-CRYPT}x:1:2::/home::\n");
  });

  test("invite --all gives each account without a user a password that must be changed", async () => {
    using place = new Users();
    await place.run("add bob@example.com", "geheim\n");
    const { code, stdout } = await place.run("invite --all");
    const [, password = ""] =
      /^address,password\nalice@example\.com,([a-z2-9-]{19})\n$/.exec(stdout) ?? [];
    assert.equal(code, 0);
    assert.ok(await place.hasPassword("alice@example.com", password));
    assert.ok(await place.hasPassword("bob@example.com", "geheim"));
    assert.match(place.text, /^alice@.*:unseen_change=1$/m);
    const again = await place.run("invite --all");
    assert.equal(again.stdout, "address,password\n");
    await place.run("passwd alice@example.com", "eigenes\n");
    assert.ok(!place.text.includes("unseen_change"));
    const named = await place.run("invite bob@example.com --json");
    assert.equal(JSON.parse(named.stdout)[0].address, "bob@example.com");
    assert.ok(!(await place.hasPassword("bob@example.com", "geheim")));
  });
});

test("base32 as in RFC 4648 10", () => {
  assert.equal(base32(Buffer.from("fooba")), "MZXW6YTB");
  assert.equal(base32(Buffer.alloc(20)), "A".repeat(32));
});
