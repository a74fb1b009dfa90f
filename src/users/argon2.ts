// Argon2id by Node's own crypto, in the thread pool, and its PHC string as Dovecot writes and verifies it:
// $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH, in base64 without padding.
//
// Invariants:
// - New hashes have the parameters that OWASP names as the least: 19 MiB, 2 passes, 1 lane.
// - The cost of verifying is bounded, whatever parameters stand in the file.
//
// Each call takes a thread and up to 256 MiB. Who lets strangers ask must bound the calls at a time: see logins.ts.

import { argon2, type Argon2Algorithm, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

const compute = promisify(argon2);

export interface Argon2Hash {
  readonly algorithm: Argon2Algorithm;
  /** KiB. */
  readonly memory: number;
  readonly passes: number;
  readonly lanes: number;
  readonly salt: Buffer;
  readonly tag: Buffer;
}

const OURS = { algorithm: "argon2id", memory: 19_456, passes: 2, lanes: 1 } as const;
const SALT_OCTETS = 16;
const TAG_OCTETS = 32;

/** KiB. Dovecot's own default is 64 MiB. */
const MEMORY_MAX = 256 * 1024;
const PASSES_MAX = 16;
const LANES_MAX = 16;

const PHC =
  /^\$(argon2id?)\$v=19\$m=(\d{1,9}),t=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,128})\$([A-Za-z0-9+/]{16,128})$/;

/** Returns undefined for any other text, and for parameters that are too expensive to verify. */
export function parseArgon2(text: string): Argon2Hash | undefined {
  const [, name, memory, passes, lanes, salt = "", tag = ""] = PHC.exec(text) ?? [];
  const hash = {
    algorithm: name === "argon2id" ? ("argon2id" as const) : ("argon2i" as const),
    memory: Number(memory),
    passes: Number(passes),
    lanes: Number(lanes),
    salt: Buffer.from(salt, "base64"),
    tag: Buffer.from(tag, "base64"),
  };
  return name !== undefined && isAffordable(hash) ? hash : undefined;
}

function isAffordable({ memory, passes, lanes }: Argon2Hash): boolean {
  const isValid = passes >= 1 && lanes >= 1 && memory >= 8 * lanes;
  return isValid && memory <= MEMORY_MAX && passes <= PASSES_MAX && lanes <= LANES_MAX;
}

/** The PHC string of a new hash with a salt of its own. */
export async function argon2Of(password: string): Promise<string> {
  const salt = randomBytes(SALT_OCTETS);
  const tag = await tagOf(password, { ...OURS, salt, tag: Buffer.alloc(TAG_OCTETS) });
  const { memory, passes, lanes } = OURS;
  return `$argon2id$v=19$m=${memory},t=${passes},p=${lanes}$${unpadded(salt)}$${unpadded(tag)}`;
}

/** Whether the password is that of the hash. Takes the same time either way. */
export async function isArgon2Of(hash: Argon2Hash, password: string): Promise<boolean> {
  return timingSafeEqual(await tagOf(password, hash), hash.tag);
}

/** A hash that no password has. It costs as much as one of ours, so that an unknown user looks like a known one. */
export const NO_PASSWORD: Argon2Hash = {
  ...OURS,
  salt: Buffer.alloc(SALT_OCTETS),
  tag: randomBytes(TAG_OCTETS),
};

function unpadded(octets: Buffer): string {
  return octets.toString("base64").replaceAll("=", "");
}

async function tagOf(password: string, hash: Argon2Hash): Promise<Buffer> {
  const { algorithm, memory, passes, lanes, salt, tag } = hash;
  return compute(algorithm, {
    message: Buffer.from(password),
    nonce: salt,
    parallelism: lanes,
    memory,
    passes,
    tagLength: tag.length,
  });
}
