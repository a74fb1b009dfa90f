// An archive without an index: Maildirs, and a manifest as the index writes it.

import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  Manifest,
  type ManifestEntry,
  type Origin,
} from "../../../../src/parts/archive/chain/manifest.ts";
import { folderDirectoryOf } from "../../../../src/parts/archive/model/folder-name.ts";
import type { Finding } from "../../../../src/parts/archive/proof/faults.ts";
import {
  Verification,
  type VerificationOrder,
} from "../../../../src/parts/archive/proof/verification.ts";

export const NOW = Date.UTC(2026, 5, 1);

export class SmallArchive implements AsyncDisposable {
  readonly place = mkdtempSync(join(tmpdir(), "unseen-archive-"));
  readonly directory = join(this.place, "mail");
  readonly state = join(this.place, "state");
  readonly manifest = new Manifest(this.state, { now: () => NOW });

  /** Writes a message a day old, and returns its path. */
  put(
    account: string,
    folder: string,
    place: string,
    text = `${account} ${folder} ${place}`,
    age = 86_400_000,
  ): string {
    const path = this.path(account, folder, place);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    utimesSync(path, NOW / 1000, (NOW - age) / 1000);
    return path;
  }

  path(account: string, folder: string, place: string): string {
    const [localPart = "", domain = ""] = account.split("@");
    return join(this.directory, domain, localPart, folderDirectoryOf(folder), place);
  }

  /** Notes a message in the manifest, as the index does. */
  async note(
    account: string,
    folder: string,
    place: string,
    text = `${account} ${folder} ${place}`,
    origin: Origin = "relay",
  ): Promise<void> {
    await this.manifest.append([entryOf(account, folder, place, text, origin)]);
  }

  async add(account: string, folder: string, place: string, text?: string): Promise<string> {
    await this.note(account, folder, place, text);
    return this.put(account, folder, place, text);
  }

  /** "what path", sorted. */
  async verify(order: Partial<VerificationOrder> = {}): Promise<string[]> {
    return (await this.findings(order))
      .map(({ what, path }) => `${what} ${path.slice(this.place.length + 1)}`)
      .toSorted();
  }

  async findings(order: Partial<VerificationOrder> = {}): Promise<Finding[]> {
    const { directory, state } = this;
    await using verification = new Verification({
      directory,
      state,
      seals: [],
      now: NOW,
      ...order,
    });
    return await Array.fromAsync(verification.findings());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.manifest.close();
    rmSync(this.place, { recursive: true, force: true });
  }
}

export function entryOf(
  account: string,
  folder: string,
  place: string,
  text: string,
  origin: Origin = "relay",
): ManifestEntry {
  return {
    word: "file",
    account,
    folder,
    place,
    size: Buffer.byteLength(text),
    sha256: sha256Of(text),
    origin,
  };
}

export function sha256Of(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
