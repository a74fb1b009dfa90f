// relayctl failover status: whether mail waits and for whom, and whether people can read and send mail meanwhile.

import { ageText } from "../../base/units.ts";
import { given as present } from "../../base/given.ts";
import { isTable } from "../../base/table.ts";
import { printable } from "../../base/printable.ts";
import { folded, print, printJson } from "../../base/terminal.ts";
import type { Configuration } from "../../config/configuration.ts";
import type { Given } from "../../contract/command.ts";
import { EXIT } from "../../contract/exit.ts";
import type { QueueWithheld } from "../../spool/queue-view.ts";
import type { CommandMeans } from "../part.ts";
import { greetingOf, hasCertificate } from "./greeting.ts";
import { requireSection } from "./command.ts";
import { type FailOverState, readState } from "./state.ts";

/** The state of fail-over, as `--json` shows it. */
interface FailOverReport {
  readonly on: boolean;
  /** As in ISO 8601. */
  readonly since?: string;
  readonly why?: string;
  readonly releasing: boolean;
  readonly waiting: readonly QueueWithheld[];
  readonly submission: string;
  readonly dovecot: string;
  readonly dkim: string;
}

/** Recipients that are named for people. */
const NAMED_MAX = 20;

export async function failOverStatus({ json }: Given, means: CommandMeans): Promise<number> {
  const configuration = await means.configuration();
  requireSection(configuration);
  const { spool_directory: directory } = configuration.relay;
  const state = await readState(directory);
  await using queue = await means.queue(directory);
  const waiting = (await queue?.withheld()) ?? [];
  const [submission, dovecot] = await Promise.all([
    submissionOf(configuration),
    dovecotOf(configuration),
  ]);
  const report: FailOverReport = {
    on: state !== undefined && state.mode !== "releasing",
    ...present({
      since: state && new Date(state.since).toISOString(),
      why: state?.why,
    }),
    releasing: state?.mode === "releasing",
    waiting,
    submission,
    dovecot,
    dkim: dkimOf(configuration),
  };
  if (json) await printJson(report);
  else await print(textOf(report, state));
  return EXIT.ok;
}

function textOf(report: FailOverReport, state: FailOverState | undefined): string {
  const { waiting, submission, dovecot, dkim } = report;
  const count = waiting.reduce((sum, { messages }) => sum + messages, 0);
  const named = waiting
    .toSorted((one, other) => other.messages - one.messages)
    .slice(0, NAMED_MAX)
    .map(({ recipient, messages }) => `  ${String(messages).padStart(6)}  ${printable(recipient)}`);
  const others = waiting.length - named.length;
  const waits = count === 0 ? "no mail" : `mail for ${numbered(waiting.length, "recipient")}`;
  return [
    ...folded(`Fail-over:  ${modeText(state)}`, 0),
    ...(report.why === undefined ? [] : folded(`Why:        ${report.why}`, 0)),
    `Waiting:    ${waits}${count === 0 ? "" : `, ${numbered(count, "message")}`}`,
    ...named,
    ...(others === 0 ? [] : [`          ... and ${numbered(others, "other recipient")}`]),
    ...folded(`Dovecot:    ${dovecot}`, 0),
    ...folded(`Submission: ${submission}`, 0),
    ...folded(`DKIM:       ${dkim}`, 0),
    "",
  ].join("\n");
}

function numbered(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function modeText(state: FailOverState | undefined): string {
  if (state === undefined) return "off";
  const { mode, since } = state;
  const age =
    since === 0 ? "" : ` since ${new Date(since).toISOString()} (${ageText(Date.now() - since)})`;
  if (mode === "releasing") return "has ended, and waiting mail is being released";
  return mode === "on" ? `on${age}` : `on${age}, and mail is settled by its copies (--keep-local)`;
}

async function dovecotOf(configuration: Configuration): Promise<string> {
  const { imap } = requireSection(configuration);
  const greeting = await greetingOf(imap, hasCertificate(configuration) ? "implicit" : "none");
  if ("error" in greeting) return `does not answer on ${imap.written}: ${greeting.error}`;
  const isImap = greeting.line.startsWith("* OK");
  return isImap ? `answers on ${imap.written}` : `${imap.written} is no IMAP: ${greeting.line}`;
}

async function submissionOf({ listeners }: Configuration): Promise<string> {
  const own = listeners.filter((one) => fieldOf(one, "protocol") === "submission");
  if (own.length === 0) return "no listener for submission in routers.toml";
  const texts = own.map(async ({ address, tls }) => {
    const greeting = await greetingOf(address, tls);
    const { written } = address;
    if ("error" in greeting) return `does not answer on ${written}: ${greeting.error}`;
    return greeting.line.startsWith("220")
      ? `listens on ${written}`
      : `${written}: ${greeting.line}`;
  });
  return (await Promise.all(texts)).join("; ");
}

/** The keys with which transports sign mail that people submit. */
function dkimOf({ transports }: Configuration): string {
  const keys = [...transports.values()].flatMap(({ name, options }) => {
    const signers = fieldOf(options, "dkim");
    return Array.isArray(signers)
      ? signers.map((one) => `${name} signs for ${String(fieldOf(one, "domain"))}`)
      : [];
  });
  return keys.length === 0 ? "no transport signs mail that people submit" : keys.join("; ");
}

function fieldOf(value: unknown, name: string): unknown {
  return isTable(value) ? value[name] : undefined;
}
