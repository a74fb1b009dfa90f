// A secret in a file of its own that other users of this machine cannot read: a password on its first line, or a
// private key. The same check is made when the configuration is read and whenever the secret is used. So a new secret
// needs no restart.

import { createPrivateKey, type KeyObject } from "node:crypto";
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { cannotRead } from "../base/file-errors.ts";
import { type NamedFile, readNamedFile } from "../base/named-file.ts";
import { path } from "./option-types.ts";
import type { Option } from "./option.ts";

/** Mode bits of users that are neither the owner nor in the group. */
const OTHERS = 0o007;

/** The path of a file with a secret. The file is checked when the configuration is read. */
export function secretFile(doc: string): Option<string> {
  return guardedFile(doc, secretIn);
}

/** The path of a file with a private key that can sign with DKIM (RFC 8301 3.2, RFC 8463). */
export function privateKeyFile(doc: string): Option<string> {
  return guardedFile(doc, privateKeyIn);
}

export interface KeyFile {
  readonly path: string;
  /** The key at the time when the configuration was read. */
  readonly key: KeyObject;
  /** Every user of this machine can read or change the file. */
  readonly isOpen: boolean;
}

/**
 * A private key file as well, but the key is held from then on: after giving up root, the relay can still sign. An
 * unprotected file is accepted here, and the owner of the option reports it.
 */
export function keyFile(doc: string): Option<KeyFile> {
  const base = path(doc);
  return {
    type: base.type,
    doc,
    required: true,
    isPath: true,
    isRead: true,
    read(value, at, problems) {
      const file = base.read(value, at, problems);
      if (file === undefined) return undefined;
      const found = heldKey(file);
      if ("key" in found) return found;
      problems.push({ path: at, message: found.wrong });
      return undefined;
    },
  };
}

function heldKey(file: string): KeyFile | { readonly wrong: string } {
  try {
    const { mode, bytes } = contentsOf(file);
    const found = keyIn(bytes);
    if ("wrong" in found) return { wrong: `${file}: ${found.wrong}` };
    return { path: file, key: found.key, isOpen: (mode & OTHERS) !== 0 };
  } catch (error) {
    return { wrong: cannotRead(file, error) };
  }
}

function guardedFile(doc: string, parse: Parse): Option<string> {
  const base = path(doc);
  return {
    ...base,
    isRead: true,
    read(value, at, problems) {
      const file = base.read(value, at, problems);
      const wrong = file === undefined ? undefined : problemWith(file, parse);
      if (wrong === undefined) return file;
      problems.push({ path: at, message: wrong });
      return undefined;
    },
  };
}

/** Reads the secret from the file again. Rejects with a reason that names the file when it holds no usable secret. */
export function readSecret(file: string): Promise<string> {
  return readGuarded(file, secretIn);
}

/** Reads the key from the file again, as PEM. Rejects like `readSecret`. */
export function readPrivateKey(file: string): Promise<string> {
  return readGuarded(file, privateKeyIn);
}

async function readGuarded(file: string, parse: Parse): Promise<string> {
  let contents: NamedFile;
  try {
    contents = await readNamedFile(file);
  } catch (error) {
    throw new Error(cannotRead(file, error), { cause: error });
  }
  const read = checked(contents, parse);
  if ("wrong" in read) throw new Error(`${file}: ${read.wrong}`);
  return read.secret;
}

function problemWith(file: string, parse: Parse): string | undefined {
  try {
    const read = checked(contentsOf(file), parse);
    return "wrong" in read ? `${file}: ${read.wrong}` : undefined;
  } catch (error) {
    return cannotRead(file, error);
  }
}

/** The loader has seen that it answers. */
function contentsOf(file: string): NamedFile {
  const descriptor = openSync(file, "r");
  try {
    return { mode: fstatSync(descriptor).mode, bytes: readFileSync(descriptor) };
  } finally {
    closeSync(descriptor);
  }
}

type Secret = { readonly secret: string } | { readonly wrong: string };
type Parse = (bytes: Buffer) => Secret;

function checked({ mode, bytes }: NamedFile, parse: Parse): Secret {
  if ((mode & OTHERS) !== 0) {
    return { wrong: `can be used by everybody on this machine; "chmod o= FILE" ends that` };
  }
  return parse(bytes);
}

function secretIn(bytes: Buffer): Secret {
  const [secret = "", ...rest] = bytes.toString("utf8").split(/\r?\n/);
  if (secret === "") return { wrong: "its first line is empty; the secret is expected there" };
  if (rest.some((line) => line !== "")) return { wrong: "has more than one line" };
  if (/[\p{Cc}\uFFFD]/u.test(secret)) return { wrong: "holds control characters, or is not UTF-8" };
  return { secret };
}

const RSA_BITS_MIN = 1024;

function privateKeyIn(bytes: Buffer): Secret {
  const found = keyIn(bytes);
  return "wrong" in found ? found : { secret: bytes.toString("utf8") };
}

function keyIn(bytes: Buffer): { readonly key: KeyObject } | { readonly wrong: string } {
  let key: KeyObject;
  try {
    key = createPrivateKey(bytes);
  } catch {
    return { wrong: "holds no private key in PEM, or one with a passphrase" };
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  const isRsa = type === "rsa" && (details?.modulusLength ?? 0) >= RSA_BITS_MIN;
  if (isRsa || type === "ed25519") return { key };
  return { wrong: `its key must be RSA of at least ${RSA_BITS_MIN} bits, or Ed25519` };
}
