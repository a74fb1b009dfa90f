// DKIM signatures as a test wants them, also such as no honest signer makes: every tag can be set. Written against
// RFC 6376 with node:crypto alone, so that the verifier is not tested by itself. relaxed/relaxed.

import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

export interface Key {
  readonly privateKey: KeyObject;
  /** The TXT record. */
  readonly record: string;
}

export function rsaKey(bits = 2048): Key {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: bits });
  const p = publicKey.export({ type: "spki", format: "der" }).toString("base64");
  return { privateKey, record: `v=DKIM1; k=rsa; p=${p}` };
}

export function ed25519Key(): Key {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const der = publicKey.export({ type: "spki", format: "der" });
  return { privateKey, record: `v=DKIM1; k=ed25519; p=${der.subarray(-32).toString("base64")}` };
}

export interface How {
  readonly key: Key;
  readonly domain: string;
  readonly selector?: string;
  /** Names of fields, each as often as it is to be covered. */
  readonly covers?: readonly string[];
  readonly algorithm?: "rsa-sha256" | "rsa-sha1" | "ed25519-sha256";
  /** More tags, "x=1; t=2"; `l` also cuts the body. */
  readonly tags?: string;
  /** Octets of the body that are covered. */
  readonly length?: number;
}

const COVERED = ["from", "to", "subject", "date"];

/** `message` with a signature on top. */
export function signed(message: string, how: How): string {
  const { key, domain, selector = "sel", covers = COVERED, tags = "", length } = how;
  const algorithm = how.algorithm ?? "rsa-sha256";
  const hash = algorithm === "rsa-sha1" ? "sha1" : "sha256";
  const split = message.indexOf("\r\n\r\n");
  const body = relaxedBody(message.slice(split + 4)).slice(0, length);
  const bh = createHash(hash).update(body, "latin1").digest("base64");
  const limit = length === undefined ? "" : `l=${length}; `;
  const extra = tags === "" ? "" : `${tags}; `;
  const unsigned = `DKIM-Signature: v=1; a=${algorithm}; c=relaxed/relaxed; d=${domain}; s=${selector};\r\n\th=${covers.join(":")}; ${extra}${limit}bh=${bh};\r\n\tb=`;
  const fields = message.slice(0, split + 2).match(/[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*/g) ?? [];
  const text = coveredText(fields, covers) + relaxedField(unsigned);
  const bytes = Buffer.from(text, "latin1");
  const b =
    algorithm === "ed25519-sha256"
      ? sign(null, createHash("sha256").update(bytes).digest(), key.privateKey)
      : sign(hash, bytes, key.privateKey);
  return `${unsigned}${b.toString("base64")}\r\n${message}`;
}

/** RFC 6376 5.4.2: of several fields of one name, the last is covered first. */
function coveredText(fields: readonly string[], covers: readonly string[]): string {
  const left = fields.toReversed();
  return covers
    .map((name) => {
      const at = left.findIndex((field) =>
        field.toLowerCase().startsWith(`${name.toLowerCase()}:`),
      );
      return at < 0 ? "" : `${relaxedField(left.splice(at, 1)[0] ?? "")}\r\n`;
    })
    .join("");
}

function relaxedField(field: string): string {
  const [, name = "", value = ""] = /^([^:]*):(.*)$/s.exec(field) ?? [];
  return `${name.trim().toLowerCase()}:${value
    .replaceAll("\r\n", "")
    .replaceAll(/[ \t]+/g, " ")
    .trim()}`;
}

function relaxedBody(body: string): string {
  const lines = body
    .replaceAll(/[ \t]+\r\n/g, "\r\n")
    .replaceAll(/[ \t]+/g, " ")
    .replace(/(?:\r\n)*$/, "");
  return lines === "" ? "" : `${lines}\r\n`;
}

export const LETTER = [
  "From: Alice <alice@example.com>",
  "To: dave@example.org",
  "Subject: hello",
  "Date: Thu, 01 Jan 2026 00:00:00 +0000",
  "",
  "Hello Dave,\t  this is a letter. ",
  ".with a dot",
  "",
  "",
].join("\r\n");
