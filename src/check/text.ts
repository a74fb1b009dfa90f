// The result of a dry run for people. Each recipient has the gate's verdict, the routers in the order in which they
// were asked, the place that the message goes to, and the reply to the client.

import type {
  CheckedBatch,
  CheckedDelivery,
  CheckedRecipient,
  CheckedTls,
  CheckReport,
} from "./check.ts";
import { type Colour, folded, paint } from "../base/terminal.ts";
import type { Host } from "../mail/host.ts";
import type { Client } from "../mail/envelope.ts";
import type { Proof } from "../receive/gate/gate.ts";
import type { RouteTrouble, TraceStep } from "../route/route.ts";
import { printable } from "../base/printable.ts";
import { pathText } from "../mail/address.ts";
import { type Status, statusLine } from "../mail/status.ts";
import { hostText } from "./hosts.ts";

/** Column in which the text after a label begins. */
const MARGIN = 10;
const REASON = 12;

export function reportText(report: CheckReport): string {
  const { client, sender, recipients, batches } = report;
  const parts = [
    [...labelled("from", pathText(sender)), ...labelled("client", clientText(client))],
    ...recipients.map(recipientLines),
    messageLines(report),
    batches.length > 0 ? [batchTitle(batches), ...batches.flatMap(batchLines)] : [],
  ];
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join("\n")}\n`)
    .join("\n");
}

/** " label text", the text folded after its margin; `colour` is for its first word. */
function labelled(label: string, text: string, colour?: Colour): string[] {
  const [first = "", ...rest] = folded(text, MARGIN);
  const shown = first.slice(MARGIN);
  const word = /^[^\s:]+/.exec(shown)?.[0] ?? "";
  const painted = colour === undefined ? shown : paint(colour, word) + shown.slice(word.length);
  return [`  ${label}`.padEnd(MARGIN) + painted, ...rest];
}

function clientText({ address, helo, tls }: Client): string {
  return `${address}, HELO ${helo}, ${tls === undefined ? "without TLS" : "with TLS"}`;
}

const OUTCOMES: Readonly<Record<CheckedRecipient["outcome"], Colour>> = {
  routed: "green",
  discarded: "yellow",
  deferred: "yellow",
  failed: "red",
};

function recipientLines(recipient: CheckedRecipient): string[] {
  const { address, outcome, gate, trace, deliveries, troubles, discarded, reply } = recipient;
  const verdict = gate.rule === "none" ? "for want of a rule" : `by ${gate.rule}`;
  return [
    `${paint("bold", printable(address))}: ${paint(OUTCOMES[outcome], outcome)}`,
    ...labelled("gate", `${gate.kind} ${verdict}`, colourOf(gate.kind)),
    ...reasons(gate.why),
    ...traceLines(trace, address),
    ...deliveries.flatMap(deliveryLines),
    ...discarded.flatMap(({ router, why }) => labelled("discard", `by ${router}: ${why}`)),
    ...troubles.flatMap((trouble) => troubleLines(trouble, recipient)),
    ...labelled("reply", statusLine(reply), colourOfReply(reply)),
  ];
}

/** The lines about trouble that the routers' own lines and the reply do not contain. */
function troubleLines(
  { router, mailbox, unseen, status }: RouteTrouble,
  { address, reply }: CheckedRecipient,
): string[] {
  const whose = mailbox.address === address ? "" : ` for ${mailbox.address}`;
  if (router === "" && status.code >= 500) return labelled("end", `no router takes it${whose}`);
  if (status === reply && whose === "") return [];
  const by = router === "" ? "" : `, by ${router}`;
  return labelled("trouble", `${unseen ? "copy: " : ""}${statusLine(status)}${by}${whose}`);
}

function traceLines(trace: readonly TraceStep[], address: string): string[] {
  const lines: string[] = [];
  let subject = address;
  for (const step of trace) {
    if (step.address !== subject) {
      subject = step.address;
      lines.push(...labelled("address", subject));
    }
    const [label, ...rest] = labelled("router", `${step.router}: ${step.result}`);
    const result = paint(colourOf(step.result), step.result);
    lines.push(`${(label ?? "").slice(0, -step.result.length)}${result}`, ...rest);
    lines.push(...reasons(step.why === "" ? "no conditions" : step.why));
  }
  return lines;
}

/** Each condition on a line of its own. */
function reasons(why: string): string[] {
  return why.split("; ").flatMap((one) => folded(one, REASON));
}

function deliveryLines(delivery: CheckedDelivery): string[] {
  const { transport, unseen, unsafe, path, nextHops, tls = [] } = delivery;
  const where = unsafe
    ? "the account gives no safe path, so the copy would be frozen"
    : (path ?? (nextHops === undefined ? "" : hostsText(nextHops)));
  return [
    ...labelled(unseen ? "copy" : "mail", where === "" ? transport : `${transport}: ${where}`),
    ...tlsLines(tls),
  ];
}

/** One line for all hosts if their rules are the same. */
function tlsLines(rules: readonly CheckedTls[]): string[] {
  const lines = rules.map(({ rule, why }) => (rule === "barred" ? `nothing is sent: ${why}` : why));
  const [first] = lines;
  if (first === undefined) return [];
  return lines.every((line) => line === first)
    ? labelled("tls", first)
    : rules.flatMap(({ host }, index) => labelled("tls", `${host}: ${lines[index]}`));
}

function hostsText(hosts: readonly Host[]): string {
  if (hosts.length === 0)
    return "neither the router nor the transport has a host, so the mail would wait";
  return hosts.map(hostText).join(", ");
}

function messageLines({ message, proofs, claims }: CheckReport): string[] {
  if (message !== undefined) {
    return labelled("message", statusLine(message), colourOfReply(message));
  }
  if (proofs.length > 0) {
    return labelled(
      "message",
      `must have ${proofs.map(proofText).join(" and ")}, or it is refused`,
    );
  }
  if (claims.length === 0) return [];
  const shown = claims.map(proofText).join(" and ");
  return labelled("message", `must have ${shown}, or it is not relayed = true`);
}

function proofText({ headers = [], dkim }: Proof): string {
  const names = new Set(headers.map(({ name }) => name));
  const ways = [
    ...Array.from(names, (name) => `the header ${name} with its secret`),
    ...(dkim === undefined ? [] : ["a DKIM signature of its author's domain"]),
  ];
  return ways.join(" or ");
}

function batchTitle(batches: readonly CheckedBatch[]): string {
  return paint("bold", batches.length === 1 ? "1 batch" : `${batches.length} batches`);
}

function batchLines({
  transport,
  unseen,
  path,
  nextHops = [],
  recipients,
}: CheckedBatch): string[] {
  const [first, ...others] = nextHops;
  const more = others.length === 0 ? "" : ` and ${others.length} more`;
  const where = path ?? (first === undefined ? "" : hostText(first) + more);
  return [
    ...labelled(unseen ? "copy" : "mail", where === "" ? transport : `${transport}: ${where}`),
    ...folded(`for ${recipients.join(", ")}`, REASON),
  ];
}

function colourOf(result: TraceStep["result"] | "refuse"): Colour {
  switch (result) {
    case "accept":
    case "redirect":
      return "green";
    case "fail":
    case "refuse":
      return "red";
    case "defer":
    case "discard":
      return "yellow";
    case "skipped":
    case "decline":
    case "pass":
      return "dim";
  }
}

function colourOfReply({ code }: Status): Colour {
  if (code < 300) return "green";
  return code < 500 ? "yellow" : "red";
}
