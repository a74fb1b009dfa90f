// The Maildirs of an account, as the directories of the transports place them, and the account of a Maildir.

import { join } from "node:path";
import { isTable } from "../../base/table.ts";
import type { Configuration } from "../../config/configuration.ts";
import type { DirectoryTemplate } from "../../maildir/placeholders.ts";

/** Mail to the account, or from it. */
export type Direction = "in" | "out";

export interface AccountMaildir {
  readonly path: string;
  readonly direction: Direction;
  /** The path names no local part: other accounts have mail there as well. */
  readonly isShared: boolean;
}

interface Place extends Omit<AccountMaildir, "path"> {
  readonly template: DirectoryTemplate;
}

export class AccountMaildirs {
  readonly #places: readonly Place[];

  constructor({ transports }: Pick<Configuration, "transports">) {
    this.#places = [...transports.values()].flatMap(({ options }) => {
      const template = isTable(options) ? options["directory"] : undefined;
      if (!isTemplate(template)) return [];
      const { written } = template;
      const direction = written.includes("{sender_") ? "out" : "in";
      return [{ template, direction, isShared: !written.includes("local_part}") } as const];
    });
  }

  /** Each path once. An address with an unsafe name has no Maildir. */
  of(address: string): AccountMaildir[] {
    const at = address.lastIndexOf("@");
    const [localPart, domain] = [address.slice(0, at), address.slice(at + 1)];
    const names = { localPart, domain, senderLocalPart: localPart, senderDomain: domain };
    const found = new Map<string, AccountMaildir>();
    for (const { template, direction, isShared } of this.#places) {
      const expanded = template.expand(names);
      if (expanded.kind !== "path") continue;
      const path = join(expanded.path);
      if (!found.has(path)) found.set(path, { path, direction, isShared });
    }
    return [...found.values()];
  }
}

function isTemplate(value: unknown): value is DirectoryTemplate {
  return isTable(value) && typeof value["expand"] === "function" && "written" in value;
}
