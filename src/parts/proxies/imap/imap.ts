// IMAP: the greeting, and who speaks with the client before its login.

import type { Protocol } from "../protocol.ts";
import { rewritten } from "./capabilities.ts";
import { greetImap } from "./greet.ts";
import { OwnFront } from "./own.ts";
import { PassingFront } from "./pass.ts";

export const imap: Protocol = {
  tooMany: () => "* BYE [UNAVAILABLE] Too many connections\r\n",
  async serve(session) {
    const { client, options } = session;
    if (options.auth_http !== undefined) return new OwnFront(session).run();
    const reached = await session.reach(greetImap);
    if (reached.kind === "reached") {
      client.write(rewritten(reached.upstream.greeting, session));
      return new PassingFront(session).run();
    }
    if (reached.refusal === undefined) return new OwnFront(session).run();
    client.write(reached.refusal);
  },
};
