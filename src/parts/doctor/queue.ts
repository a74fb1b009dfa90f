// The queue: the age of its oldest message, frozen messages, and domains on hold.

import { saidLine } from "../../mail/status.ts";
import { ageText } from "../../base/units.ts";
import type { QueueView } from "../../spool/queue-view.ts";
import type { MessageState, StoredMessage } from "../../spool/spool.ts";
import type { CheckPart, Setup } from "./check.ts";
import { type Finding, ok, skipped, warning } from "./finding.ts";

const HOUR = 3_600_000;
/** Age of the oldest message that is a warning, if `warn_after` does not say. */
const OLD = 24 * HOUR;

export function checkQueue(setup: Setup): readonly CheckPart[] {
  return [{ about: "the queue", findings: look(setup) }];
}

async function look({ configuration, means, clock }: Setup): Promise<readonly Finding[]> {
  const { relay, bounce } = configuration;
  await using view = await means.queue(relay.spool_directory);
  if (view === undefined) {
    return [skipped(`no relay has opened the spool in ${relay.spool_directory} yet`)];
  }
  return await queueFindings(view, clock.now(), bounce.warn_after[0] ?? OLD);
}

/** A message that is `old` milliseconds old is a warning. */
export async function queueFindings(
  view: Pick<QueueView, "count" | "messages" | "holds">,
  now: number,
  old: number,
): Promise<readonly Finding[]> {
  const { active, queued, frozen } = await view.count({});
  const total = active.messages + queued.messages + frozen.messages;
  const oldest = (await firstOf(view, "queued")) ?? (await firstOf(view, "active"));
  const holds = await view.holds();
  return [
    oldest === undefined ? noneWaits(total) : ageFinding(oldest, total, now, old),
    ...(frozen.messages === 0 ? [] : [frozenFinding(frozen.messages)]),
    ...holds.map(({ domain, since, messages }) =>
      warning(
        `${domain} is on hold for ${ageText(now - since)}; ${waitText(messages)}`,
        `End the hold when its reason is gone: relayctl queue release ${domain}`,
      ),
    ),
  ];
}

async function firstOf(
  view: Pick<QueueView, "messages">,
  state: MessageState,
): Promise<StoredMessage | undefined> {
  for await (const messages of view.messages({ state }, () => undefined)) return messages[0];
  return undefined;
}

function noneWaits(total: number): Finding {
  return ok(total === 0 ? "the queue is empty" : "no message waits for its next attempt");
}

function ageFinding(
  { envelope, recipients }: StoredMessage,
  total: number,
  now: number,
  old: number,
): Finding {
  const age = now - envelope.receivedAt;
  const messages = `${total} ${total === 1 ? "message" : "messages"}`;
  const found = `the queue has ${messages}, and the oldest (${envelope.id}) is ${ageText(age)} old`;
  if (age < old) return ok(found);
  const status = recipients.find(({ lastStatus }) => lastStatus !== undefined)?.lastStatus;
  const why = status === undefined ? "" : `: ${saidLine(status)}`;
  return warning(
    `${found}${why}`,
    `See relayctl queue show ${envelope.id}, and relayctl queue list.`,
  );
}

function frozenFinding(count: number): Finding {
  const found =
    count === 1
      ? "1 message is frozen and waits for you"
      : `${count} messages are frozen and wait for you`;
  return warning(
    found,
    "See relayctl queue list --state frozen; thaw, retry, bounce or remove them.",
  );
}

function waitText(messages: number): string {
  return messages === 1 ? "1 message waits" : `${messages} messages wait`;
}
