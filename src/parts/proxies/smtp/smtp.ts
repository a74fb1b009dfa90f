// SMTP: the greeting, and who speaks with the client before its login.

import type { Protocol } from "../protocol.ts";
import { greetSmtp } from "./greet.ts";
import { OwnFront } from "./own.ts";
import { PassingFront } from "./pass.ts";

export const smtp: Protocol = {
  tooMany: (hostname) => `421 4.3.2 ${hostname} Too many connections\r\n`,
  async serve(session) {
    const { client, options, means } = session;
    if (options.auth_http !== undefined) return new OwnFront(session, options.auth_http).run();
    const reached = await session.reach(greetSmtp(means.hostname));
    if (reached.kind === "failed") {
      return client.write(
        reached.refusal ?? `421 4.4.1 ${means.hostname} The mail server cannot be reached\r\n`,
      );
    }
    client.write(reached.upstream.greeting);
    return new PassingFront(session).run();
  },
};
