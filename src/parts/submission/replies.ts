// The replies of a session of submission itself. All others are smtp-server's, or come from the rules of the relay.

import { status } from "../../mail/status.ts";

export const CLOSING = status(421, "3.2", "Service is shutting down, closing connection");
export const NEEDS_TLS = status(530, "7.0", "Must issue a STARTTLS command first");
export const NO_STARTTLS = status(503, "5.1", "STARTTLS is not available");
export const TOO_SLOW = status(421, "4.2", "Timeout, closing connection");
export const AHEAD = status(554, "5.0", "Text ahead of the reply, closing connection");
export const LINE_TOO_LONG = status(421, "5.2", "Line too long, closing connection");
export const TOO_MANY_ERRORS = status(421, "7.0", "Too many errors, closing connection");
export const TOO_MANY_COMMANDS = status(
  421,
  "7.0",
  "Too many commands without mail, closing connection",
);
export const TOO_MANY_REFUSED = status(
  421,
  "7.0",
  "Too many refused recipients, closing connection",
);
