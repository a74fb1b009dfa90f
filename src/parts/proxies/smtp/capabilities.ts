// What an SMTP client sees of the server's extensions before the login.

import { isPassable } from "../protocol.ts";
import type { Session } from "../session.ts";

/** The extensions of the proxy while it has no server to ask. */
const OWN = ["PIPELINING", "8BITMIME"];

/** The lines for EHLO: without those that end at the proxy, and with the proxy's own STARTTLS. */
export function announced(said: readonly string[], session: Session): string[] {
  const { needsTls, options } = session;
  const passed = (options.capabilities ?? said).flatMap((line) => {
    const [name = "", ...words] = line.split(/[ =]+/);
    switch (name.toUpperCase()) {
      case "STARTTLS":
        return [];
      case "AUTH": {
        const mechanisms = words.filter((word) => isPassable(word, options));
        const separator = line.charAt("AUTH".length);
        const isOffered = !needsTls && mechanisms.length > 0;
        return isOffered ? [`AUTH${separator}${mechanisms.join(" ")}`] : [];
      }
      default:
        return [line];
    }
  });
  return needsTls ? [...passed, "STARTTLS"] : passed;
}

export function ownExtensions(session: Session): string[] {
  const said = session.options.capabilities ?? OWN;
  const isComplete = said.some((line) => /^AUTH[ =]/i.test(line));
  const lines = announced(said, session);
  return isComplete || session.needsTls ? lines : [...lines, "AUTH PLAIN LOGIN"];
}
