// relayctl queue show: everything that the spool has about one message.

import { given } from "../../base/given.ts";
import type { Given } from "../../contract/command.ts";
import { systemClock } from "../../base/clock.ts";
import type { HistoryEvent } from "../../observe/history/read.ts";
import { jsonLine, printable } from "../../base/printable.ts";
import type { StoredMessage, StoredRecipient } from "../../spool/spool.ts";
import { describeError } from "../../observe/log.ts";
import { pathText } from "../../mail/address.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import { folded, paint, print } from "../../base/terminal.ts";
import { openHistory } from "../trace.ts";
import { eventObject, storyLines } from "../trace/story.ts";
import { eventsOf } from "../trace/pending-text.ts";
import { ageText } from "../../base/units.ts";
import { messageObject, recipientLines, stateWord } from "./format.ts";
import { openQueue } from "./open.ts";
import { findQueue, type QueuePlace } from "./place.ts";

export interface ShowOptions extends Given {
  readonly body: boolean;
}

/** Exit 1 when the message is not in the queue. */
export async function queueShow(id: string, options: ShowOptions): Promise<number> {
  const { relay } = await findQueue(options.config);
  await using queue = await openQueue(relay.spool_directory);
  try {
    const message = await queue?.message(id);
    if (message === undefined) throw new CommandError(absent(id, relay), EXIT.notDone);
    if (options.body) await printBody(message);
    else {
      const held = new Set((await queue?.holds())?.map(({ domain }) => domain));
      using history = openHistory(relay.spool_directory);
      const remembered = history.events(id);
      const events = remembered.length > 0 ? remembered : eventsOf(message);
      const header = await headerOf(message);
      const shown = { message, header, events, held, now: systemClock.now() };
      await print(`${options.json ? jsonOf(shown) : textOf(shown)}\n`);
    }
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`${id} cannot be read: ${describeError(error)}`, EXIT.notDone);
  }
}

/** The reason why the message is not shown: it may have been in the queue earlier. */
function absent(id: string, { spool_directory: directory }: QueuePlace["relay"]): string {
  using history = openHistory(directory);
  return history.events(id).length > 0
    ? `${id} is not in the queue any more; what became of it: relayctl trace ${id}`
    : `${id}: no such message`;
}

/** The message as it is stored and will be sent, byte for byte. */
async function printBody({ body }: StoredMessage): Promise<void> {
  for await (const chunk of body.chunks()) {
    await new Promise<void>((resolve) => process.stdout.write(chunk, () => resolve()));
  }
}

interface Shown {
  readonly message: StoredMessage;
  readonly header: string;
  readonly events: readonly HistoryEvent[];
  readonly held: ReadonlySet<string>;
  readonly now: number;
}

function jsonOf({ message, header, events, held, now }: Shown): string {
  const history = events.map(eventObject);
  const known = { ...messageObject(message, now, held), ...details(message) };
  const recipients = known.recipients.map((recipient, position) => {
    const { notify, orcpt } = message.recipients[position] ?? {};
    return {
      ...recipient,
      ...given({ notify, orcpt }),
    };
  });
  return jsonLine({ ...known, recipients, history, header });
}

const HEADER_MAX = 1024 * 1024;

/** The header section, as text. */
async function headerOf({ body }: StoredMessage): Promise<string> {
  let head = "";
  for await (const chunk of body.chunks()) {
    head += chunk.toString("latin1");
    const end = head.indexOf("\r\n\r\n");
    if (end >= 0) head = head.slice(0, end + 2);
    if (end >= 0 || head.length > HEADER_MAX) break;
  }
  return Buffer.from(head, "latin1").toString().replaceAll("\r\n", "\n");
}

function details({ envelope, journal, recipients }: StoredMessage) {
  const { client, receivedAt, eightBit, smtputf8, requireTls, ret, envid } = envelope;
  return {
    received_at: new Date(receivedAt).toISOString(),
    client,
    eight_bit: eightBit,
    smtputf8,
    ...given({ require_tls: requireTls, ret, envid }),
    journal: journal.map(({ position, address, router, transport, outcome, at }) => ({
      recipient: recipients[position]?.mailbox.address ?? "",
      address,
      router,
      transport,
      outcome,
      at: new Date(at).toISOString(),
    })),
  };
}

function textOf({ message, header, events, held, now }: Shown): string {
  const { envelope, state, recipients } = message;
  const { id, sender, size, receivedAt } = envelope;
  const lines = [
    `${paint("bold", id)}: ${stateWord(state)}`,
    `  from      ${printable(pathText(sender))}`,
    `  received  ${new Date(receivedAt).toISOString()}, ${ageText(now - receivedAt)} ago`,
    `  client    ${printable(clientText(message))}`,
    `  size      ${size} bytes`,
    ...parametersOf(envelope).map((parameter) => `  with      ${printable(parameter)}`),
    "",
    paint("bold", "Recipients"),
    ...recipients.flatMap((recipient) => [
      ...recipientLines(recipient, now, held),
      ...reportLines(recipient),
    ]),
    "",
    paint("bold", "History"),
    ...storyLines({ id, events }, [], now),
    "",
    paint("bold", "Header"),
    ...header.trimEnd().split("\n").map(printable),
  ];
  return lines.join("\n");
}

/** The parameters of MAIL, which the next host is told, too. */
function parametersOf(envelope: StoredMessage["envelope"]): string[] {
  const { eightBit, smtputf8, requireTls, ret, envid } = envelope;
  return [
    ...(eightBit ? ["BODY=8BITMIME"] : []),
    ...(smtputf8 ? ["SMTPUTF8"] : []),
    ...(requireTls === true ? ["REQUIRETLS"] : []),
    ...(ret === undefined ? [] : [`RET=${ret}`]),
    ...(envid === undefined ? [] : [`ENVID=${envid}`]),
  ];
}

const REPORTS_COLUMN = 23;

/** The parameters of RCPT. */
function reportLines({ notify, orcpt }: StoredRecipient): string[] {
  const parameters = [
    ...(notify === undefined ? [] : [`NOTIFY=${notify}`]),
    ...(orcpt === undefined ? [] : [`ORCPT=${orcpt}`]),
  ];
  return parameters.flatMap((parameter) => folded(parameter, REPORTS_COLUMN));
}

function clientText({ envelope: { client } }: StoredMessage): string {
  if (client.address === "") return "none, this message is our own";
  const tls =
    client.tls === undefined ? "without TLS" : `${client.tls.version} ${client.tls.cipher}`;
  return `${client.address}, HELO ${client.helo}, ${tls}`;
}
