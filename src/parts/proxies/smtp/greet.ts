// The first lines with an SMTP server.

import { type Greet, ServerRefused } from "../upstream.ts";
import { bytesOf, replyOf, textsOf } from "./syntax.ts";

export function greetSmtp(hostname: string): Greet {
  return async (server, startTls) => {
    const greeting = await replyOf(server);
    if (greeting.code !== 220) throw new ServerRefused(bytesOf(greeting));
    if (startTls === undefined) return bytesOf(greeting);
    server.write(`EHLO ${hostname}\r\n`);
    const extensions = textsOf(await replyOf(server));
    if (!extensions.some((line) => /^STARTTLS\b/i.test(line))) {
      throw new Error("it does not offer STARTTLS");
    }
    server.write("STARTTLS\r\n");
    const answer = await replyOf(server);
    if (answer.code !== 220) {
      throw new Error(`it refused STARTTLS: ${bytesOf(answer).toString("latin1").trim()}`);
    }
    if (server.takeChunk(1) !== undefined) {
      throw new Error("it sent text in clear after its 220 to STARTTLS");
    }
    await startTls();
    return bytesOf(greeting);
  };
}
