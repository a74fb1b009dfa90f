// The first lines with a POP3 server.

import { LINE_MAX } from "../protocol.ts";
import { type Greet, ServerRefused } from "../upstream.ts";
import { isOk } from "./syntax.ts";

export const greetPop3: Greet = async (server, startTls) => {
  const greeting = await server.line(LINE_MAX);
  if (!isOk(greeting)) throw new ServerRefused(greeting);
  if (startTls === undefined) return greeting;
  server.write("STLS\r\n");
  const answer = await server.line(LINE_MAX);
  if (!isOk(answer)) throw new Error(`it refused STLS: ${answer.toString("latin1").trim()}`);
  if (server.takeChunk(1) !== undefined) {
    throw new Error("it sent text in clear after its +OK to STLS");
  }
  await startTls();
  return greeting;
};
