// One event of a story in words. The event may have been written by an older version of this program, so missing fields
// are left out.

import type { HistoryEvent } from "../../observe/history/read.ts";
import { ageText, sizeText } from "../../base/units.ts";
import type { Colour } from "../../base/terminal.ts";

export interface Entry {
  readonly verb: string;
  readonly text: string;
  readonly colour: Colour;
  readonly details: readonly string[];
}

/** `id` is that of the message whose story is told. */
export function eventEntry(event: HistoryEvent, id: string | undefined): Entry {
  const { name, fields } = event;
  const text = (key: string) => textOf(fields[key]);
  switch (name) {
    case "message.accepted":
      return accepted(event);
    case "delivery.done":
      return {
        ...delivery(event),
        // A copy may lie in the Maildir of the sender.
        verb: fields["unseen"] === true ? "copied mail" : "delivered",
        text: `to ${text("recipient")}`,
        colour: "green",
      };
    case "delivery.deferred":
      return { ...delivery(event), verb: "deferred", colour: "yellow" };
    case "delivery.failed":
      return { ...delivery(event), verb: "failed", colour: "red" };
    case "delivery.frozen":
      return { ...delivery(event), verb: "frozen", colour: "red" };
    case "recipient.unrouted":
      return traceEntry("unrouted", text("recipient"), "yellow", [
        "no router takes it any more",
        prefixed("fails at ", text("until")),
      ]);
    case "recipient.discarded":
      return traceEntry("discarded", text("recipient"), "yellow", [text("why")]);
    case "recipient.refused":
    case "message.refused":
      return refused(event);
    case "message.bounced":
    case "message.reported":
      return report(event, id);
    case "tls_report.sent":
      return traceEntry("report", `on TLS with ${text("domain")}`, "bold", [
        prefixed("to ", text("to")),
      ]);
    case "message.frozen":
      return traceEntry("frozen", "", "red", [text("why")]);
    case "message.completed":
      return traceEntry("completed", "", "green", []);
    case "queue.changed":
      return traceEntry(text("action"), "by the postmaster", "yellow", []);
    case "alarm":
      return traceEntry("alarm", text("what"), "red", []);
    default:
      return withoutSender(event) ?? traceEntry(name, "", "red", [text("where"), text("error")]);
  }
}

/** Events about mail whose sender is not told, and about copies that are not where they were expected. */
function withoutSender({ name, fields }: HistoryEvent): Entry | undefined {
  const text = (key: string) => textOf(fields[key]);
  switch (name) {
    case "message.listed":
      return traceEntry("listed", text("recipients"), "yellow", [
        `for the postmaster, not for ${text("sender")}: ${text("why")}`,
      ]);
    case "bounce.put_off":
      return traceEntry("put off", `the bounce to ${text("sender")}`, "yellow", [
        "nobody can say whether the sender is who it says",
        prefixed("next attempt ", text("next_attempt")),
      ]);
    case "message.expired":
      return traceEntry("expired", text("recipients"), "red", [
        "frozen for too long, and nobody may be told",
      ]);
    case "message.unsigned":
      return traceEntry("unsigned", `by ${text("selector")} of ${text("domain")}`, "yellow", [
        text("error"),
      ]);
    case "copy.unlisted":
      return traceEntry("unlisted", `copy for ${text("sender")}, who is no account`, "yellow", [
        text("host"),
      ]);
    case "copy.missing":
      return traceEntry("no copy", `of the mail of ${text("sender")}`, "red", []);
    default:
      return undefined;
  }
}

export function traceEntry(
  verb: string,
  text: string,
  colour: Colour,
  details: readonly string[],
): Entry {
  return { verb, text, colour, details: details.filter((detail) => detail !== "") };
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(textOf).join(", ");
  return typeof value === "number" ? String(value) : "";
}

/** The prefix and the text; "" for an empty text. */
function prefixed(prefix: string, text: string): string {
  return text === "" ? "" : `${prefix}${text}`;
}

function accepted({ fields }: HistoryEvent): Entry {
  const text = (key: string) => textOf(fields[key]);
  const bytes = Number(fields["size"] ?? 0);
  const size = bytes < 1024 ? `${bytes} bytes` : sizeText(bytes);
  const tls = text("tls");
  const session = [
    text("client") === "" ? "our own" : `client ${text("client")}`,
    prefixed("HELO ", text("helo")),
    tls === "" ? "without TLS" : tls,
  ];
  return traceEntry("accepted", `from ${text("sender")}, ${size}`, "bold", [
    prefixed("for ", text("recipients")),
    session.filter((part) => part !== "").join(", "),
    prefixed("gate: ", text("rule")),
  ]);
}

function delivery({ at, fields }: HistoryEvent): Entry {
  const text = (key: string) => textOf(fields[key]);
  const by = [text("router"), text("transport")].filter((part) => part !== "").join(", ");
  const wait = Date.parse(text("next_attempt")) - at;
  return traceEntry("", text("recipient"), "dim", [
    prefixed("redirected from ", text("original")),
    prefixed("by ", by),
    prefixed(text("host").startsWith("/") ? "" : "at ", text("host")),
    prefixed("under ", text("tls")),
    fields["unseen"] === true && text("status").startsWith("2") ? "" : text("status"),
    Number.isNaN(wait) ? "" : `next attempt after ${ageText(wait)}`,
  ]);
}

function refused({ name, fields }: HistoryEvent): Entry {
  const text = (key: string) => textOf(fields[key]);
  const recipients = text("recipient") === "" ? text("recipients") : text("recipient");
  const why = name === "recipient.refused" ? prefixed("gate: ", text("why")) : text("why");
  return traceEntry("refused", `from ${text("sender")}`, "red", [
    prefixed("for ", recipients),
    prefixed("client ", text("client")),
    why,
    text("reply"),
  ]);
}

function report({ name, fields }: HistoryEvent, id: string | undefined): Entry {
  const text = (key: string) => textOf(fields[key]);
  const kind = name === "message.bounced" ? "bounced" : text("kind");
  const recipients = prefixed("for ", text("recipients"));
  if (text("report") === id)
    return traceEntry("report", `on ${text("id")}: ${kind}`, "bold", [recipients]);
  const colour = kind === "bounced" ? "red" : "yellow";
  return traceEntry(kind, `in report ${text("report")}`, colour, [recipients]);
}
