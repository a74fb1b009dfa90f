// The open-relay self-test: what it says of gates that are open, shut, unsure or not there.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { NamedFinding } from "../../../src/parts/doctor/check.ts";
import { World } from "./world.ts";

const PROOF = 'proof = { header = ["X-Tenant: s3cret"] }\n';
const RULE = 'hosts = "+google_relays"\nsender_domains = "+ours"\n';

async function inWorld(
  edit: (config: string) => string,
  look: (findings: readonly NamedFinding[], world: World) => Promise<void> | void,
): Promise<void> {
  await using world = await World.open((config) => {
    const edited = edit(config);
    assert.notEqual(edited, config);
    return edited;
  });
  await look(await world.examine(["relay"]), world);
}

const short = (findings: readonly NamedFinding[]) =>
  findings.map(({ result, found }) => `${result} ${found}`);

suite("the self-test", () => {
  const open: Readonly<
    Record<string, readonly [edit: (config: string) => string, RegExp, RegExp]>
  > = {
    "a rule for shared hosts without a proof": [
      (config) => config.replace(PROOF, ""),
      /^fail gate\.relay\[1\] lets another customer of spf:_spf\.google\.com \(198\.51\.100\.1\) send mail in the name of alice@example\.com to any domain$/,
      /^Add a proof to gate\.relay\[1\]/,
    ],
    "a rule for shared hosts and every sender": [
      (config) => config.replace(PROOF, "").replace(RULE, RULE.replace('"+ours"', '"*"')),
      /^fail gate\.relay\[1\] lets another customer .* send mail in a sender's name of its own/,
      /^Set sender_domains of gate\.relay\[1\] to your own domains/,
    ],
    "a rule for shared hosts that takes the null sender": [
      (config) =>
        config.replace(PROOF, 'sender_local_parts = ["nobody-at-all"]\nnull_sender = "accept"\n'),
      /^fail gate\.relay\[1\] lets another customer .* send mail with a null sender/,
      /^Add a proof/,
    ],
    "the same rule with the list written in its place": [
      (config) => config.replace(PROOF, "").replace('"+google_relays"', '["spf:_spf.google.com"]'),
      /^fail gate\.relay\[1\] lets another customer/,
      /^Add a proof/,
    ],
    "a rule for half of the world": [
      (config) =>
        config.replace(
          'hosts = "+trusted"',
          `hosts = [${Array.from({ length: 126 }, (_, first) => `"${first + 1}.0.0.0/8"`).join(", ")}]`,
        ),
      /^fail OPEN RELAY: gate\.relay\[0\] lets a stranger at [\d.]+ send mail in a sender's name/,
      /^Write only hosts of your own into hosts of gate\.relay\[0\]/,
    ],
  };
  for (const [what, [edit, found, advice]] of Object.entries(open)) {
    test(`fails for ${what}`, async () => {
      await inWorld(edit, (findings) => {
        const failures = findings.filter(({ result }) => result !== "ok");
        assert.equal(failures.length, 1, short(findings).join("\n"));
        assert.match(short(failures)[0] ?? "", found);
        assert.match(failures[0]?.advice ?? "", advice);
      });
    });
  }

  test("is satisfied with a proof, even if the rule takes every sender", async () => {
    await inWorld(
      (config) => config.replace(RULE, RULE.replace('"+ours"', '"*"')),
      (findings) => {
        assert.deepEqual(
          findings.map(({ result }) => result),
          ["ok", "ok"],
        );
        assert.match(findings[1]?.found ?? "", /needs the proof of gate\.relay\[1\]$/);
      },
    );
  });

  test("is skipped when the relay puts the other customer off", async () => {
    await inWorld(
      (config) => config.replace(RULE, RULE.replace('"+ours"', '"lsearch:gone"')),
      (findings) => {
        assert.deepEqual(
          findings.map(({ result }) => result),
          ["ok", "skipped"],
        );
        assert.match(findings[1]?.found ?? "", /: 451 4\.3\.0 .*\(gate\.relay\[1\]\)$/);
      },
    );
  });

  test("plays nobody where no rule is for shared hosts", async () => {
    await using world = await World.open(
      (config) => config.replace('hosts = "+google_relays"', 'hosts = ["198.51.100.0/24"]'),
      { isUnused: true },
    );
    assert.deepEqual(
      (await world.examine(["relay"])).map(({ result }) => result),
      ["ok", "skipped"],
    );
  });

  test("says whether the relay does not run, or only its control socket", async () => {
    await inWorld(
      (config) => config.replace("[relay]", `[relay]\ncontrol_socket = "${"x".repeat(110)}"`),
      async (findings, world) => {
        const port = String(world.relay.port);
        await world.write("routers.toml", world.text.replace("127.0.0.1:0", `127.0.0.1:${port}`));
        const [running] = short(await world.examine(["relay"]));
        assert.match(short(findings)[0] ?? "", /^skipped the relay does not run/);
        assert.match(running ?? "", /^skipped the relay runs, but not its control socket/);
        await world.relay.stop();
        const [gone, ...more] = short(await world.examine(["relay"]));
        assert.match(gone ?? "", /^skipped the relay does not run \(nothing answers on /);
        assert.deepEqual(more, []);
      },
    );
  });

  test("judges the configuration in force, not the file", async () => {
    await using world = await World.open();
    await world.write("routers.toml", world.text.replace(PROOF, ""));
    assert.deepEqual(
      (await world.examine(["relay"])).map(({ result }) => result),
      ["ok", "ok"],
    );
    assert.ok(!("problems" in (await world.relay.relay.reload())));
    assert.deepEqual(
      (await world.examine(["relay"])).map(({ result }) => result),
      ["ok", "fail"],
    );
  });
});
