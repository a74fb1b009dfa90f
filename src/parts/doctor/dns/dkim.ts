// Whether the DNS has the record of each key that signs, with the public half of that key (RFC 6376 3.6.1). A signature
// whose key is missing or another one counts as none, and with DMARC the mail may be refused.

import { access, constants } from "node:fs/promises";
import { createPublicKey, type KeyObject } from "node:crypto";
import { isTable } from "../../../base/table.ts";
import type { Configuration } from "../../../config/configuration.ts";
import { dkimRecordOf, zoneLineOf } from "../../../outbox/dkim-record.ts";
import type { DkimSigner } from "../../../outbox/dkim-options.ts";
import type { CheckPart, Setup } from "../check.ts";
import { failure, type Finding, ok, skipped, warning } from "../finding.ts";

/** The checks of all keys in `dkim`, of [relay] and of the transports. */
export function checkDkim(setup: Setup): readonly CheckPart[] {
  return signersOf(setup.configuration).map((signer) => ({
    about: `DKIM of ${nameOf(signer)}`,
    findings: judge(signer, setup),
  }));
}

/** A key that several transports name is checked once. */
function signersOf({ relay, transports }: Configuration): readonly DkimSigner[] {
  const all = [...relay.dkim, ...Array.from(transports.values(), ({ options }) => dkimIn(options))];
  const byKey = all
    .flat()
    .map((signer) => [`${nameOf(signer)} ${signer.key_file.path}`, signer] as const);
  return [...new Map(byKey).values()];
}

function dkimIn(options: unknown): readonly DkimSigner[] {
  const written = isTable(options) ? options["dkim"] : undefined;
  return Array.isArray(written) ? written.filter(isSigner) : [];
}

/** The loader has read the tables of `dkim` in a transport by the options of a key. */
function isSigner(value: unknown): value is DkimSigner {
  return isTable(value) && typeof value["selector"] === "string" && isTable(value["key_file"]);
}

function nameOf(signer: Pick<DkimSigner, "domain" | "selector">): string {
  return `${signer.selector}._domainkey.${signer.domain}`;
}

async function judge(signer: DkimSigner, setup: Setup): Promise<readonly Finding[]> {
  const [file, record] = await Promise.all([fileFinding(signer), recordFinding(signer, setup)]);
  return [...file, record];
}

/** The relay reads the key again at each reload, as its own user. */
async function fileFinding(signer: DkimSigner): Promise<readonly Finding[]> {
  const { path } = signer.key_file;
  try {
    await access(path, constants.R_OK);
    return [];
  } catch {
    const found = `DKIM of ${nameOf(signer)}: the relay's user cannot read ${path}`;
    return [failure(found, `Give ${path} to [relay] user, or the next reload is refused.`)];
  }
}

async function recordFinding(signer: DkimSigner, { chain }: Setup): Promise<Finding> {
  const at = `DKIM of ${nameOf(signer)}`;
  const own = dkimRecordOf(signer);
  const publish = `Publish: ${zoneLineOf(own)}`;
  const answer = await chain.outside.resolver.txt(nameOf(signer));
  if (answer.kind === "temporary")
    return skipped(`${at}: the DNS gives no answer: ${answer.error}`);
  const texts = answer.kind === "found" ? answer.records : [];
  const [text, ...more] = texts.filter((one) => tagsOf(one).has("p"));
  if (text === undefined) {
    const found = texts.length === 0 ? "there is no record" : "the record has no key (p=)";
    return failure(`${at}: ${found}, so signatures do not count`, publish);
  }
  if (more.length > 0) {
    const advice = `Leave the one of ${signer.key_file.path}: with several, receivers may take any.`;
    return failure(`${at}: there are ${more.length + 1} records`, advice);
  }
  return judged(at, tagsOf(text), signer, publish);
}

function judged(
  at: string,
  tags: ReadonlyMap<string, string>,
  signer: DkimSigner,
  publish: string,
): Finding {
  const { key_file: file } = signer;
  const { asymmetricKeyType: type = "rsa" } = file.key;
  const published = (tags.get("p") ?? "").replaceAll(/\s/g, "");
  if (published === "") {
    const advice = `Make a new key with another selector by relayctl dkim new, or publish this one again.`;
    return failure(`${at}: the key is revoked (p= is empty)`, advice);
  }
  if ((tags.get("v") ?? "DKIM1") !== "DKIM1") {
    return failure(`${at}: the record begins with v=${tags.get("v")}, not v=DKIM1`, publish);
  }
  if ((tags.get("k") ?? "rsa") !== type || !isSameKey(published, file.key)) {
    const found = `${at}: it has another key than ${file.path}, so signatures fail`;
    return failure(found, `${publish}; or name the file of the published key.`);
  }
  const refusal = refusalIn(tags);
  if (refusal !== undefined) return failure(`${at}: ${refusal}, so signatures fail`, publish);
  if (wordsIn(tags.get("t")).includes("y")) {
    const advice = "Take t=y out of the record: receivers treat mail of a test as unsigned.";
    return warning(`${at}: the record is in test mode (t=y)`, advice);
  }
  return ok(`${at}: it has the key of ${file.path}`);
}

/** What the record does not allow that our signatures need: SHA-256, and the use for mail. */
function refusalIn(tags: ReadonlyMap<string, string>): string | undefined {
  const hashes = wordsIn(tags.get("h"));
  if (hashes.length > 0 && !hashes.includes("sha256")) return "the record does not allow sha256";
  const services = wordsIn(tags.get("s"));
  const isForMail = services.length === 0 || services.includes("*") || services.includes("email");
  return isForMail ? undefined : "the record is not for mail (s=)";
}

function wordsIn(value = ""): readonly string[] {
  return value
    .toLowerCase()
    .split(":")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}

/** The tags of a record (RFC 6376 3.2); the first of a name counts. */
function tagsOf(text: string): ReadonlyMap<string, string> {
  const tags = new Map<string, string>();
  for (const part of text.split(";")) {
    const [, name, value = ""] = /^\s*([a-z]\w*)\s*=\s*([\s\S]*?)\s*$/i.exec(part) ?? [];
    if (name !== undefined && !tags.has(name)) tags.set(name, value);
  }
  return tags;
}

/** Whether this is the public half of the key: as SPKI or PKCS #1 for RSA, as the bare key for Ed25519. */
function isSameKey(published: string, key: KeyObject): boolean {
  const octets = Buffer.from(published, "base64");
  const own = createPublicKey(key);
  const spki = own.export({ type: "spki", format: "der" });
  if (octets.equals(spki)) return true;
  if (key.asymmetricKeyType === "ed25519") return octets.equals(spki.subarray(-32));
  return octets.equals(own.export({ type: "pkcs1", format: "der" }));
}
