// POP3: the greeting, who speaks with the client before its login, and what comes after it.

import type { Protocol } from "../protocol.ts";
import type { Session } from "../session.ts";
import { CapturingSession } from "./capture.ts";
import { greetPop3 } from "./greet.ts";
import { OwnFront } from "./own.ts";
import { type Login, PassingFront } from "./pass.ts";

export const pop3: Protocol = {
  tooMany: () => "-ERR [SYS/TEMP] Too many connections\r\n",
  async serve(session) {
    const { client, options } = session;
    if (options.auth_http !== undefined) {
      return enter(session, await new OwnFront(session, options.auth_http).run());
    }
    const reached = await session.reach(greetPop3);
    if (reached.kind === "failed") {
      return client.write(
        reached.refusal ?? "-ERR [SYS/TEMP] The mail server cannot be reached\r\n",
      );
    }
    client.write(reached.upstream.greeting);
    return enter(session, await new PassingFront(session).run());
  },
};

async function enter(session: Session, login: Login | undefined): Promise<void> {
  if (login === undefined) return;
  const { client, means } = session;
  const copying = means.keeper?.forLogin(login.user);
  if (copying !== undefined && "why" in copying) {
    if (means.keeper?.mayPass(login.user, copying) !== true) {
      session.loginFailed(login.user, copying.why);
      return client.write("-ERR [SYS/PERM] No copies can be kept for this login\r\n");
    }
  }
  session.loggedIn(login.user);
  client.write(login.answer);
  if (copying === undefined || "why" in copying) return session.join();
  session.keepsFor(copying.account);
  return new CapturingSession(session, copying).run();
}
