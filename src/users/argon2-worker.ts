// The thread in which passwords are judged: see argon2-thread.ts.

import { argon2Sync, timingSafeEqual } from "node:crypto";
import { parentPort } from "node:worker_threads";
import type { Argon2Hash } from "./argon2.ts";

/** The question of the main thread. */
export interface Question {
  readonly hash: Argon2Hash;
  readonly password: string;
}

parentPort?.on("message", ({ hash, password }: Question) => {
  const { algorithm, memory, passes, lanes, salt, tag } = hash;
  const found = argon2Sync(algorithm, {
    message: Buffer.from(password),
    nonce: salt,
    parallelism: lanes,
    memory,
    passes,
    tagLength: tag.length,
  });
  parentPort?.postMessage(timingSafeEqual(found, Buffer.from(tag)));
});
