// The messages of an mbox that streams by.

import { type MboxEvent, MboxReader, NoMbox } from "../formats/mbox-reader.ts";
import { SourceError, type SourceItem } from "./source.ts";

/** `name` is the name of the mbox for people. `place` is the folder to which its own place points. */
export async function* mboxItems(
  octets: AsyncIterable<Buffer>,
  name: string,
  place?: string,
): AsyncGenerator<SourceItem> {
  const events = eventsOf(octets, name);
  let { value: event } = await events.next();
  while (event !== undefined) {
    if (event.kind !== "from") throw new Error("an mbox has content before its first message");
    const { at, isCrlf, line } = event;
    event = undefined;
    let isOver = false;
    const next = async (): Promise<Buffer | undefined> => {
      if (isOver) return undefined;
      const { value } = await events.next();
      if (value?.kind === "bytes") return value.bytes;
      isOver = true;
      event = value ?? undefined;
      return undefined;
    };
    yield {
      kind: "message",
      where: `${name} at octet ${at}`,
      folder: line.folder,
      place,
      hasLabels: true,
      time: line.time,
      lineEnds: endsOf(line.keepsCrlf, isCrlf),
      body: bodyOf(next),
    };
    // The reader may have left the message.
    while ((await next()) !== undefined) continue;
  }
}

async function* bodyOf(next: () => Promise<Buffer | undefined>): AsyncGenerator<Buffer> {
  for (let bytes = await next(); bytes !== undefined; bytes = await next()) yield bytes;
}

function endsOf(keepsCrlf: boolean, isCrlf: boolean): "all" | "kept" | "look" {
  if (keepsCrlf) return "kept";
  return isCrlf ? "all" : "look";
}

async function* eventsOf(
  octets: AsyncIterable<Buffer>,
  name: string,
): AsyncGenerator<MboxEvent, undefined> {
  const reader = new MboxReader();
  try {
    for await (const piece of octets) yield* reader.push(piece);
    yield* reader.end();
  } catch (error) {
    if (error instanceof NoMbox) {
      throw new SourceError(`${name} at octet 0`, 'an mbox begins with a line "From "', error);
    }
    throw error;
  }
  return undefined;
}
