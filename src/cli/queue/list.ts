// relayctl queue list and count: the messages in the queue, oldest first. They are read from the spool itself, while a
// relay is running or not.

import type { Given } from "../../contract/command.ts";
import { systemClock } from "../../base/clock.ts";
import { jsonLine } from "../../base/printable.ts";
import { EXIT } from "../../contract/exit.ts";
import { print, printJson, warn } from "../../base/terminal.ts";
import { filterOf, type FilterOptions } from "./filter.ts";
import { holdLine, holdObject, messageLines, messageObject } from "./format.ts";
import { sizeText } from "../../base/units.ts";
import { openQueue } from "./open.ts";
import { findQueue } from "./place.ts";

export type ListOptions = FilterOptions & Given;

export async function queueList(options: ListOptions): Promise<number> {
  const { relay } = await findQueue(options.config);
  const now = systemClock.now();
  const filter = filterOf(options, now);
  let count = 0;
  let bytes = 0;
  await using queue = await openQueue(relay.spool_directory);
  const held = new Set((await queue?.holds())?.map(({ domain }) => domain));
  for await (const messages of queue?.messages(filter, damaged) ?? []) {
    count += messages.length;
    for (const { envelope } of messages) bytes += envelope.size;
    const texts = messages.map((message) =>
      options.json
        ? `${jsonLine(messageObject(message, now, held))}\n`
        : `${messageLines(message, now, held).join("\n")}\n\n`,
    );
    await print(texts.join(""));
  }
  if (!options.json) await print(`${summary(count, bytes)}\n`);
  return EXIT.ok;
}

/** Counts the messages in the queue, by state. */
export async function queueCount(options: ListOptions): Promise<number> {
  const { relay } = await findQueue(options.config);
  const now = systemClock.now();
  const filter = filterOf(options, now);
  await using queue = await openQueue(relay.spool_directory);
  const { active, queued: deferred, frozen } = (await queue?.count(filter)) ?? NONE;
  const holds = (await queue?.holds()) ?? [];
  const states = Object.entries({ active, deferred, frozen });
  const sum = (of: "messages" | "bytes") => states.reduce((all, [, state]) => all + state[of], 0);
  if (options.json) {
    const each = Object.fromEntries(states.map(([state, { messages }]) => [state, messages]));
    const object = {
      messages: sum("messages"),
      bytes: sum("bytes"),
      ...each,
      on_hold: holds.map(holdObject),
    };
    await printJson(object);
  } else {
    const lines = states.map(([state, { messages }]) => `${state.padEnd(8)}  ${messages}\n`);
    const onHold = holds.map((hold) => `${holdLine(hold, now)}\n`);
    const total = summary(sum("messages"), sum("bytes"));
    await print([...lines, ...onHold, `${total}\n`].join(""));
  }
  return EXIT.ok;
}

const NOTHING = { messages: 0, bytes: 0 };
const NONE = { active: NOTHING, queued: NOTHING, frozen: NOTHING };

function damaged(id: string, why: string): void {
  warn(`relayctl: message ${id} cannot be read: ${why}`);
}

function summary(count: number, bytes: number): string {
  if (count === 0) return "No messages.";
  const size = bytes < 1024 ? `${bytes} bytes` : sizeText(bytes);
  return `${count} ${count === 1 ? "message" : "messages"}, ${size}.`;
}
