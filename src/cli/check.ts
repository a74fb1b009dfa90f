// relayctl check: checks the configuration, and predicts the outcome of a message.

import { given } from "../base/given.ts";
import type { Given } from "../contract/command.ts";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { check, type CheckReport, type CheckRequest } from "../check/check.ts";
import { deadAliases } from "../check/aliases.ts";
import { lostPostmaster } from "../check/postmaster.ts";
import { reportJson } from "../check/json.ts";
import { reportText } from "../check/text.ts";
import { systemClock } from "../base/clock.ts";
import type { Configuration } from "../config/configuration.ts";
import { warningsOf } from "../config/warnings.ts";
import { partWarnings } from "./part-warnings.ts";
import { dkimRecordOf, zoneLineOf } from "../outbox/dkim-record.ts";
import { cannotRead } from "../base/file-errors.ts";
import type { Client, Mailbox } from "../mail/envelope.ts";
import type { EventName } from "../observe/events.ts";
import { parseAddress } from "../base/cidr.ts";
import type { Log } from "../observe/log.ts";
import { firstLocalDomain } from "../config/configuration.ts";
import { assemble } from "../run/assemble.ts";
import { printable } from "../base/printable.ts";
import { heloName, parseMail } from "../smtp/server/command.ts";
import { requireConfiguration, WrongConfiguration } from "./configuration-file.ts";
import { CommandError, EXIT } from "../contract/exit.ts";
import { print, printJson, warn } from "../base/terminal.ts";

export interface CheckOptions extends Given {
  readonly from: string;
  readonly client: string;
  readonly helo?: string | undefined;
  readonly tls: boolean;
  readonly message?: string | undefined;
}

/** Milliseconds to wait for `spf:` lists. After that, the copies on disk are used. */
const LISTS_PATIENCE = 5000;

/** Exit 0 when all recipients are routed, 1 when something is deferred, 2 when something is refused or fails. */
export async function checkCommand(
  recipients: readonly string[],
  options: CheckOptions,
): Promise<number> {
  const client = clientOf(options);
  const sender = senderOf(options.from);
  if (recipients.length === 0) return checkConfiguration(options);
  const configuration = await requireConfiguration(options.config);
  const message = options.message === undefined ? undefined : await messageFile(options.message);
  const request = requestOf(configuration, { client, sender, recipients }, message);
  const parts = { clock: systemClock, log: warnings };
  const chain = assemble(configuration, parts, true);
  try {
    await Promise.race([chain.lists.refresh(), sleep(LISTS_PATIENCE, undefined, { ref: false })]);
    const report = await check(request, chain, parts);
    await (options.json ? printJson(reportJson(report)) : print(reportText(report)));
    return exitCodeOf(report);
  } finally {
    await chain.close();
  }
}

async function checkConfiguration({ config, json }: CheckOptions): Promise<number> {
  try {
    const configuration = await requireConfiguration(config);
    const warnings = [
      ...(await warningsOf(configuration)),
      ...(await partWarnings(configuration)),
      ...(await deadAliases(configuration, systemClock)),
      ...(await lostPostmaster(configuration, systemClock)),
    ];
    const records = configuration.relay.dkim.map(dkimRecordOf);
    if (json) {
      const published = records.length === 0 ? {} : { dkim_records: records };
      await printJson({ problems: [], warnings, ...published });
    } else {
      for (const warning of warnings) warn(`warning: ${warning}`);
      await print(`${printable(configuration.file)}: ok\n`);
      for (const [index, record] of records.entries()) {
        await print(`DNS record of relay.dkim[${index}]: ${zoneLineOf(record)}\n`);
      }
    }
    return EXIT.ok;
  } catch (error) {
    if (!json || !(error instanceof WrongConfiguration)) throw error;
    await printJson({ problems: error.problems });
    return error.exitCode;
  }
}

function requestOf(
  configuration: Configuration,
  envelope: Pick<CheckRequest, "client" | "sender" | "recipients">,
  bytes: Buffer | undefined,
): CheckRequest {
  const { relay } = configuration;
  const postmasterDomain = firstLocalDomain(configuration);
  const limits = {
    sizeMax: relay.message_size_limit,
    textLineMax: relay.text_line_max,
    bareNewlines: relay.bare_newlines,
  };
  return {
    ...envelope,
    ...given({ postmasterDomain, message: bytes && { bytes, ...limits } }),
  };
}

function clientOf({ client, helo, tls }: CheckOptions): Client {
  const parsed = parseAddress(client);
  if (parsed === undefined) usage(`--client: "${client}" is no IPv4 or IPv6 address`);
  const address = client.replace(/^::ffff:(?=.*\.)/i, "");
  const literal = parsed.family === 6 ? `[IPv6:${address}]` : `[${address}]`;
  const name = helo === undefined ? literal : heloName(helo);
  if (name === undefined) usage(`--helo: "${helo}" is no name of a host`);
  const secured = { version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384" };
  return { address, helo: name, ...(tls ? { tls: secured } : {}) };
}

function senderOf(from: string): Mailbox | null {
  const parsed = parseMail(`FROM:${from.startsWith("<") ? from : `<${from}>`} SMTPUTF8`);
  if ("refused" in parsed) usage(`--from: "${from}" is no address`);
  return parsed.ok.sender;
}

function usage(message: string): never {
  throw new CommandError(message, EXIT.usage);
}

async function messageFile(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new CommandError(cannotRead(file, error), EXIT.noInput);
  }
}

/**
 * Events that are printed beside the result, because they report a problem on the way. All others would only distract.
 */
const WORTH_TELLING: ReadonlySet<EventName> = new Set([
  "lookup.failed",
  "hosts.failed",
  "mta_sts.failed",
  "relay.error",
  "relay.warning",
]);

const warnings: Log = {
  event(name, fields) {
    if (!WORTH_TELLING.has(name)) return;
    const told = Object.entries(fields).map(([key, value]) => `${key} ${String(value)}`);
    warn(`relayctl: ${name}: ${told.join(", ")}`);
  },
};

function exitCodeOf({ recipients }: CheckReport): number {
  const outcomes = recipients.map(({ outcome }) => outcome);
  if (outcomes.includes("failed")) return EXIT.failed;
  return outcomes.includes("deferred") ? EXIT.deferred : EXIT.ok;
}
