// What a POP3 client sees of the server's capabilities before the login.

import { isPassable } from "../protocol.ts";
import type { Session } from "../session.ts";

/** The capabilities of the proxy while it has no server to ask. */
const OWN = ["TOP", "UIDL", "USER", "SASL PLAIN LOGIN"];

/** The lines for CAPA: without those that end at the proxy, and with the proxy's own STLS. */
export function announced(said: readonly string[], session: Session): string[] {
  const { needsTls, options } = session;
  const passed = (options.capabilities ?? said).flatMap((line) => {
    const [name = "", ...words] = line.split(/ +/);
    switch (name.toUpperCase()) {
      case "STLS":
        return [];
      case "USER":
        return needsTls ? [] : [line];
      case "SASL": {
        const mechanisms = words.filter((word) => isPassable(word, options));
        return needsTls || mechanisms.length === 0 ? [] : [`SASL ${mechanisms.join(" ")}`];
      }
      default:
        return [line];
    }
  });
  return needsTls ? [...passed, "STLS"] : passed;
}

export function ownCapabilities(session: Session): string[] {
  return announced(OWN, session);
}
