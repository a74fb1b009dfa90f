import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CommandError, EXIT } from "../../src/contract/exit.ts";
import { withConfiguration } from "../../src/cli/commands.ts";
import { flag, options, withDefault } from "../../src/options/options.ts";
import { partCommand } from "../../src/parts/part.ts";
import { RIGHT, write } from "../config/configuration.ts";

const endsWith = (exitCode: number) => (error: unknown) =>
  error instanceof CommandError && error.exitCode === exitCode;

describe("a command of a part", () => {
  const command = withConfiguration(
    partCommand({
      name: "hostname",
      summary: "print the relay's own name",
      flags: options({ loud: withDefault(flag("in capitals"), false) }),
      run: async (_, { loud }, means) => {
        const { hostname } = (await means.configuration()).relay;
        return (loud ? hostname.toUpperCase() : hostname) === "MX.EXAMPLE.COM" ? 7 : EXIT.ok;
      },
    }),
  );

  test("gets its flags and the configuration that is named", async () => {
    const config = write("right.toml", RIGHT);
    assert.equal(await command.run([], { loud: true, json: false, config }), 7);
    assert.equal(await command.run([], { loud: false, json: false, config }), EXIT.ok);
  });

  test("ends where the configuration is missing or wrong", async () => {
    const wrong = write("wrong.toml", "nonsense = 1\n");
    await assert.rejects(
      command.run([], { loud: false, json: false, config: `${wrong}.not` }),
      endsWith(EXIT.noInput),
    );
    await assert.rejects(
      command.run([], { loud: false, json: false, config: wrong }),
      endsWith(EXIT.configuration),
    );
  });
});
