// New copies that the relay tells, until they are filed.
//
// Invariant: at most ARRIVALS_MAX paths wait. Beyond that they are dropped, and the next walk finds their files.

import { join } from "node:path";
import { accountDirectory, maildirFile, PARTS } from "../model/maildir-place.ts";
import type { ListingPace } from "./listing-pace.ts";
import { type Look, LookHangs, type Looks } from "./looks.ts";
import type { FoundFile } from "./new-message.ts";
import type { PendingFile } from "./pending.ts";

const ARRIVALS_MAX = 10_000;

export class Arrivals {
  readonly #root: string;
  readonly #looks: Pick<Looks, "look">;
  readonly #pace: ListingPace;
  #paths: string[] = [];

  constructor(root: string, looks: Pick<Looks, "look">, pace: ListingPace) {
    this.#root = root;
    this.#looks = looks;
    this.#pace = pace;
  }

  add(paths: readonly string[]): void {
    this.#paths.push(...paths.slice(0, ARRIVALS_MAX - this.#paths.length));
  }

  get isEmpty(): boolean {
    return this.#paths.length === 0;
  }

  /** The next files that are there. */
  async take(limit: number): Promise<PendingFile[]> {
    while (this.#paths.length > 0) {
      const files = this.#paths
        .splice(0, limit)
        .flatMap((path) => ({ path, file: fileOf(this.#root, path) }))
        .filter((one): one is { path: string; file: FoundFile } => one.file !== undefined);
      const looks = await this.#looksAt(files.map(({ path }) => path));
      const found = files.flatMap(({ file }, at): PendingFile[] => {
        const look = looks[at];
        if (look?.kind !== "file") return [];
        this.#pace.arrived(join(file.account, file.directory, file.part), look.ctime);
        return [{ ...file, delivered: look.mtime, size: look.size }];
      });
      if (found.length > 0) return found;
    }
    return [];
  }

  /** Nothing if the file system does not answer: then a walk finds the files. */
  async #looksAt(paths: readonly string[]): Promise<readonly Look[]> {
    try {
      return await this.#looks.look(paths);
    } catch (error) {
      if (error instanceof LookHangs) return [];
      throw error;
    }
  }
}

/** The file that a path below the archive's directory names, as DOMAIN/LOCAL_PART/[.FOLDER/]new/NAME. */
function fileOf(root: string, path: string): FoundFile | undefined {
  if (!path.startsWith(`${root}/`)) return undefined;
  const names = path.slice(root.length + 1).split("/");
  const fileName = names.pop() ?? "";
  const part = PARTS.find((one) => one === names.at(-1));
  const [domain = "", localPart = "", directory = ""] = names.slice(0, -1);
  const isPlain = [domain, localPart, fileName].every((name) => /^[^.]/.test(name));
  const isFolder = names.length === 3 || (names.length === 4 && /^\.[^.]/.test(directory));
  if (part === undefined || !isPlain || !isFolder) return undefined;
  const file = { account: `${localPart}@${domain}`, directory, ...maildirFile(part, fileName) };
  return accountDirectory(root, file.account) === join(root, domain, localPart) ? file : undefined;
}
