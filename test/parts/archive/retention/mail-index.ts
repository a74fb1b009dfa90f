// An index for retention that is made from the Maildirs each time it is opened, as after a reindex. Its queries know
// accounts, folders, times of delivery and words of the text.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Manifest } from "../../../../src/parts/archive/chain/manifest.ts";
import { nameOfPlace } from "../../../../src/parts/archive/chain/manifest.ts";
import { folderDirectoryOf } from "../../../../src/parts/archive/model/folder-name.ts";
import { accountDirectory } from "../../../../src/parts/archive/model/maildir-place.ts";
import type { ArchivedMessage } from "../../../../src/parts/archive/model/message.ts";
import { accountsIn, filesOf } from "../../../../src/parts/archive/proof/maildirs.ts";
import type { Messages } from "../../../../src/parts/archive/retention/messages.ts";
import type { Condition } from "../../../../src/parts/archive/search/condition.ts";

interface Row extends ArchivedMessage {
  readonly text: string;
}

export class MailIndex implements Messages {
  readonly #directory: string;
  #rows: Row[] = [];

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** `id`: the mtime in ms, which is different for each message of a test. */
  static async of(directory: string): Promise<MailIndex> {
    const index = new MailIndex(directory);
    await index.walk();
    return index;
  }

  async walk(): Promise<void> {
    this.#rows = [];
    for await (const account of accountsIn(this.#directory)) {
      for await (const { folder, place, path } of filesOf(this.#directory, account)) {
        const text = readFileSync(path, "utf8");
        const { mtimeMs, size } = statSync(path);
        const sha256 = createHash("sha256").update(text).digest("hex");
        const id = Math.round(mtimeMs);
        this.#rows.push({
          id,
          account,
          folder,
          name: nameOfPlace(place),
          deliveredAt: id,
          size,
          sha256,
          text,
          contentSha256: sha256,
          date: undefined,
          from: "",
          to: "",
          subject: text,
          messageId: "",
          attachments: [],
          isParsed: !text.includes("unparsed"),
        });
      }
    }
    this.#rows.sort((a, b) => a.id - b.id);
  }

  get names(): string[] {
    return this.#rows.map(({ name }) => name);
  }

  async message(id: number): Promise<Row | undefined> {
    return this.#rows.find((row) => row.id === id);
  }

  async oldestFirst(after: number, limit: number): Promise<readonly Row[]> {
    return this.#rows.filter(({ id }) => id > after).slice(0, limit);
  }

  async find(
    condition: Condition,
    { limit, before = Infinity }: { limit: number; before?: number },
  ) {
    return this.#rows
      .toReversed()
      .filter((row) => row.id < before && matches(row, condition))
      .slice(0, limit);
  }

  async pathOf({ account, folder, name }: ArchivedMessage): Promise<string | undefined> {
    const directory = join(accountDirectory(this.#directory, account), folderDirectoryOf(folder));
    const places = [`new/${name}`, `cur/${name}:2,S`, `cur/${name}:2,`];
    return places.map((place) => join(directory, place)).find((path) => existsSync(path));
  }

  async remove(ids: readonly number[]): Promise<void> {
    this.#rows = this.#rows.filter(({ id }) => !ids.includes(id));
  }

  /** Notes every file in the manifest, as the index does. */
  async note(manifest: Pick<Manifest, "append">): Promise<void> {
    const rows = this.#rows;
    for (const { account, folder, name, size, sha256 } of rows) {
      const place = `new/${name}`;
      await manifest.append([
        { word: "file", account, folder, place, size, sha256, origin: "relay" },
      ]);
    }
  }
}

function matches(row: Row, condition: Condition): boolean {
  switch (condition.kind) {
    case "all":
      return condition.of.every((one) => matches(row, one));
    case "any":
      return condition.of.some((one) => matches(row, one));
    case "not":
      return !matches(row, condition.of);
    case "account":
      return row.account === condition.account;
    case "folder":
      return row.folder.toLowerCase() === condition.folder.toLowerCase();
    case "delivered":
      return (
        row.deliveredAt >= (condition.range.from ?? -Infinity) &&
        row.deliveredAt < (condition.range.before ?? Infinity)
      );
    case "words":
      return condition.words.tokens.every((token) => row.text.split(/\W+/).includes(token));
    case "sent":
    case "size":
    case "messageId":
    case "hasAttachment":
      throw new Error(`this index cannot ask for ${condition.kind}`);
  }
}
