// What Google has replied to our deliveries in the last day that calls for a setting to be changed.

import type { HistoryReader as Reader, IdentifiedEvent } from "../../observe/history/read.ts";
import { HistoryReader } from "../../observe/history/read.ts";
import { ageText } from "../../base/units.ts";
import type { Status } from "../../mail/status.ts";
import { BUILT_IN_REPLY_RULES, findReplyRule, type ReplyRule } from "../../retry/reply-rules.ts";
import type { CheckPart, Setup } from "./check.ts";
import { failure, type Finding, ok, skipped, warning } from "./finding.ts";

const DAY = 86_400_000;
/** Messages whose end is looked up. */
const MESSAGES_MAX = 1000;
/** Characters of a reply that are shown. */
const SHOWN = 160;

const GATEWAY =
  "In the Admin console, Apps > Google Workspace > Gmail > Spam, phishing and malware > Inbound gateway: " +
  "add every address of this relay. It takes up to an hour.";

interface Meaning {
  readonly test: RegExp;
  readonly what: string;
  readonly advice: string;
}

/** Replies of Google's list of SMTP errors, in the form "421 4.7.0 text". The first that fits counts. */
const MEANINGS: readonly Meaning[] = [
  {
    test: /^421 4\.7\.0 .*(?:whitelist|allowlist)/i,
    what: "takes mail only from listed gateways, and this relay is not listed",
    advice: GATEWAY,
  },
  {
    test: /^(?:421|550) \d\.7\.0 .*TLS/i,
    what: "takes mail only over TLS",
    advice: 'Set tls = "verify" in the transport for Google, and reload.',
  },
  {
    test: /^(?:421|450|550) \d\.7\.(?:0|1|28) .*(?:unsolicited|rate of|suspicious)|^\d{3} \d\.7\.28 /i,
    what: "sees unsolicited mail from this relay",
    advice:
      "Find its source with relayctl trace. Let Google tag spam by a header instead of refusing it: Inbound gateway > " +
      "Message tagging. Set [gate] dnsbl against known sources.",
  },
  {
    test: /^550 5\.7\.(?:1|25|26) .*(?:IPv6|PTR)/i,
    what: "refuses this relay's IPv6 address",
    advice:
      "Publish its PTR and SPF records (see dns), or set interface of the transport to an IPv4 address.",
  },
  {
    test: /^(?:421|550) \d\.7\.26 |^550 5\.7\.1 .*(?:unauthenticated|DMARC)/i,
    what: "checks SPF and DMARC of what this relay passes on, and refuses it as unauthenticated",
    advice: GATEWAY,
  },
];

const HOSTS = ["google.com", "googlemail.com"] as const;

export function checkGoogle(setup: Setup): readonly CheckPart[] {
  return [{ about: "Google's replies", findings: Promise.try(() => look(setup)) }];
}

function look({ configuration, clock }: Setup): readonly Finding[] {
  const { relay, replies } = configuration;
  if (relay.history === 0) {
    return [skipped('no history is kept ([relay] history = "0s"), so replies are not known')];
  }
  using history = new HistoryReader(relay.spool_directory, () => undefined);
  if (history.beginning === undefined) return [skipped("the history has no message yet")];
  return judgeReplies(history, [...replies, ...BUILT_IN_REPLY_RULES], clock.now());
}

interface Alarm {
  readonly what: string;
  readonly advice: string;
  readonly reply: string;
  readonly host: string;
  readonly refused: Set<string>;
  readonly deferred: Set<string>;
  last: number;
}

/** `now` in milliseconds since the epoch. */
export function judgeReplies(
  history: Pick<Reader, "named" | "events">,
  rules: readonly ReplyRule[],
  now: number,
): readonly Finding[] {
  const alarms = new Map<string, Alarm>();
  for (const event of history.named(["delivery.deferred", "delivery.failed"], now - DAY)) {
    note(event, rules, alarms);
  }
  if (alarms.size === 0) return [ok("no reply of Google in the last day calls for a change")];
  return Array.from(alarms.values(), (alarm) => alarmFinding(alarm, history, now));
}

function note(
  event: IdentifiedEvent,
  rules: readonly ReplyRule[],
  alarms: Map<string, Alarm>,
): void {
  const host = /^\S+/.exec(textOf(event.fields["host"]))?.[0].toLowerCase() ?? "";
  if (!HOSTS.some((domain) => host === domain || host.endsWith(`.${domain}`))) return;
  const reply = textOf(event.fields["status"]);
  const meaning = meaningOf(host, reply, rules);
  if (meaning === undefined) return;
  const fresh = {
    ...meaning,
    reply,
    host,
    refused: new Set<string>(),
    deferred: new Set<string>(),
  };
  const alarm = alarms.get(meaning.what) ?? { ...fresh, last: event.at };
  alarms.set(meaning.what, alarm);
  (event.name === "delivery.failed" ? alarm.refused : alarm.deferred).add(event.id);
  alarm.last = Math.max(alarm.last, event.at);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function meaningOf(
  host: string,
  reply: string,
  rules: readonly ReplyRule[],
): Pick<Alarm, "what" | "advice"> | undefined {
  const known = MEANINGS.find(({ test }) => test.test(reply));
  if (known !== undefined) return known;
  const status = statusOf(reply);
  const alarm = status && findReplyRule(rules, host, status)?.alarm;
  return alarm === undefined
    ? undefined
    : { what: `gives an alarm of [[replies]]`, advice: `${alarm}.` };
}

function statusOf(reply: string): Status | undefined {
  const [, code, enhanced = "", text = ""] =
    /^(\d{3})(?: (\d\.\d{1,3}\.\d{1,3}))?(?: (.*))?$/s.exec(reply) ?? [];
  return code === undefined ? undefined : { code: Number(code), enhanced, text };
}

/** A failure if mail was refused for it, or still waits. */
function alarmFinding(alarm: Alarm, history: Pick<Reader, "events">, now: number): Finding {
  const { what, advice, reply, host, refused, deferred, last } = alarm;
  const late = [...deferred].filter((id) => !refused.has(id)).slice(0, MESSAGES_MAX);
  const waiting = late.filter((id) =>
    history.events(id).every(({ name }) => name !== "message.completed"),
  );
  const parts = [
    ...(refused.size > 0 ? [`${countText(refused.size)} refused`] : []),
    ...(waiting.length > 0 ? [`${countText(waiting.length)} waiting`] : []),
    ...(late.length > waiting.length ? [`${countText(late.length - waiting.length)} late`] : []),
  ];
  const said = JSON.stringify(reply.slice(0, SHOWN));
  const found = `Google ${what}: ${parts.join(", ")}, last ${ageText(now - last)} ago; ${host} said ${said}`;
  return refused.size + waiting.length > 0 ? failure(found, advice) : warning(found, advice);
}

function countText(count: number): string {
  return `${count} ${count === 1 ? "message" : "messages"}`;
}
