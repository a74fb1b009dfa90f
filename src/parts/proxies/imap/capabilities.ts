// What an IMAP client sees of the server's capabilities before the login.

import { isPassable } from "../protocol.ts";
import type { Session } from "../session.ts";

/** The capabilities of the proxy while it has no server to ask. */
const OWN = ["IMAP4rev1", "LITERAL+", "SASL-IR", "ID", "AUTH=PLAIN"];

/** Without capabilities that end at the proxy, and with the proxy's own STARTTLS. */
function announced(said: readonly string[], session: Session): string {
  const { needsTls } = session;
  const passed = (session.options.capabilities ?? said).filter((capability) => {
    const upper = capability.toUpperCase();
    if (upper === "STARTTLS") return false;
    if (!upper.startsWith("AUTH=")) return !(needsTls && upper === "LOGINDISABLED");
    return !needsTls && isPassable(upper.slice("AUTH=".length), session.options);
  });
  return [...passed, ...(needsTls ? ["STARTTLS", "LOGINDISABLED"] : [])].join(" ");
}

export function ownCapabilities(session: Session): string {
  return announced(OWN, session);
}

const LINE = /^\* CAPABILITY ([^\r\n]*?) *(\r?\n)$/i;
const CODE = /^(\S+ [A-Za-z]+ \[CAPABILITY )([^\]\r\n]*)\]/i;

function words(list: string): string[] {
  return list.split(/ +/).filter(Boolean);
}

/** A line of the server with its capabilities as the client is to see them. */
export function rewritten(line: Buffer, session: Session): Buffer {
  if (!/capability/i.test(line.toString("latin1", 0, 200))) return line;
  const text = line.toString("latin1");
  const changed = text
    .replace(
      LINE,
      (_, list: string, end: string) => `* CAPABILITY ${announced(words(list), session)}${end}`,
    )
    .replace(CODE, (_, head: string, list: string) => `${head}${announced(words(list), session)}]`);
  return Buffer.from(changed, "latin1");
}
