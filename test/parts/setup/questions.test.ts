// The questions of relayctl init, with a person at the other end who types anything.

import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { CommandError } from "../../../src/contract/exit.ts";
import { Questions, readYes } from "../../../src/parts/setup/questions.ts";

/** What is asked with these lines as the input, and what is printed meanwhile. */
async function asked<T>(
  typed: string,
  ask: (questions: Questions) => Promise<T>,
): Promise<{ answer: T | Error; printed: string }> {
  const input = new PassThrough();
  const output = new PassThrough();
  input.end(typed);
  const printed = text(output);
  using questions = new Questions(input, output);
  const answer = await ask(questions).catch((error: unknown) => {
    assert.ok(error instanceof CommandError, String(error));
    return error;
  });
  output.end();
  return { answer, printed: await printed };
}

const digits = (line: string) =>
  /^\d+$/.test(line) ? { ok: Number(line) } : { wrong: `${JSON.stringify(line)} is no number` };
const number = (proposal?: string) => (questions: Questions) =>
  questions.ask({ text: "How many", proposal, read: digits });

test("an answer is read", async () => {
  assert.deepEqual(await asked("12\n", number()), { answer: 12, printed: "How many: " });
});

test("an empty line takes the proposal, if there is one", async () => {
  const { answer, printed } = await asked("\n", number("7"));
  assert.equal(answer, 7);
  assert.equal(printed, "How many [7]: ");
  assert.equal((await asked(" \n", number("7"))).answer, 7);
  assert.match((await asked("\n5\n", number())).printed, /"" is no number\nHow many: $/);
});

test("a wrong answer is asked for again, and printed without its control characters", async () => {
  const { answer, printed } = await asked("x\n\u001b[2Jy\n3", number());
  assert.equal(answer, 3);
  assert.ok(!printed.includes("\u001b"));
  assert.equal(printed.match(/How many: /g)?.length, 3);
});

test("several questions read one line each, however the lines arrive", async () => {
  const { answer } = await asked("1\n2\n3\n", async (questions) => [
    await number()(questions),
    await number()(questions),
    await number()(questions),
  ]);
  assert.deepEqual(answer, [1, 2, 3]);
});

test("the end of the input ends the command", async () => {
  for (const typed of ["", "x\n", "x"]) {
    const { answer } = await asked(typed, number("7"));
    assert.ok(answer instanceof CommandError);
    assert.equal(answer.exitCode, 1);
    assert.match(answer.message, /nothing was written/);
  }
});

test("yes and no are words", () => {
  for (const yes of ["y", "Y", "yes", " YES "]) assert.deepEqual(readYes(yes), { ok: true });
  for (const no of ["n", "No", "NO "]) assert.deepEqual(readYes(no), { ok: false });
  for (const wrong of ["", "yep", "1", "yn"]) assert.ok("wrong" in readYes(wrong), wrong);
});
