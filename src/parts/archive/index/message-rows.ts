// Messages in the tables: added, found by their unique name, moved and removed.
//
// Invariant: a file of a folder has one row, however often it is found. Its row, its entry in `names`, its full text and the counts of its folder change in one transaction.

import type { Database } from "../../../base/durable/database.ts";
import { numberOf, type Row, textOf } from "../../../base/durable/columns.ts";
import { shiftOf } from "../model/ids.ts";
import { folderNameOf } from "../model/folder-name.ts";
import { indexText, markTerm, sizeTerm } from "../search/tokens.ts";
import { Folders, type FolderNumbers } from "./folders.ts";
import { FreeIds } from "./free-ids.ts";
import type { Extract } from "../text/extract.ts";
import type { FoundFile, NewMessage } from "./new-message.ts";
import { attachmentsColumn, bounded, nameHash, placeColumn } from "./rows.ts";
import { Shelves, type ShelfText } from "./shelves.ts";

/** Characters of a Message-ID: the longest line of RFC 5322. */
const MESSAGE_ID_MAX = 998;

/** A row of the index, as a walk compares it with a file. */
export interface KnownFile {
  readonly id: number;
  /** The column `place`. */
  readonly place: string | null;
}

export function knownFile(
  database: Pick<Database, "all">,
  folder: number,
  name: string,
): KnownFile | undefined {
  const row = database
    .all(
      `SELECT n.id, m.unique_name, m.place FROM names n JOIN messages m ON m.id = n.id
         WHERE n.folder = ? AND n.hash = ?`,
      folder,
      nameHash(name),
    )
    .find((candidate) => candidate["unique_name"] === name);
  if (row === undefined) return undefined;
  const place = row["place"];
  return { id: numberOf(row["id"]), place: typeof place === "string" ? place : null };
}

export class MessageRows {
  readonly #database: Database;
  readonly #folders: Folders;
  readonly #freeIds: FreeIds;
  readonly #shelves: Shelves;

  constructor(database: Database, folders: Folders, shelves: Shelves) {
    this.#database = database;
    this.#folders = folders;
    this.#freeIds = new FreeIds(database);
    this.#shelves = shelves;
  }

  /** Adds those that are missing, and notes the places of the others. Returns the ids of new rows. */
  add(messages: readonly NewMessage[]): number[] {
    const taken = new Set<number>();
    const files = new Map(messages.map((message) => [keyOf(message), message]));
    const added = Array.from(files.values())
      .toSorted((a, b) => a.deliveredAt - b.deliveredAt)
      .flatMap((message) => {
        const numbers = this.#folders.ensure(message.account, message.directory);
        if (this.#isKnown(numbers.folder, message)) return [];
        const id = this.#freeIds.next(message.deliveredAt, taken);
        taken.add(id);
        this.#insertName(id, numbers.folder, message);
        return [{ id, numbers, message }];
      });
    // FTS5 writes a segment for each step backwards, so the ids go in in their order.
    for (const { id, numbers, message } of added.toSorted((a, b) => a.id - b.id)) {
      this.#insert(id, numbers, message);
    }
    this.#noteShift(added.map(({ id, message }) => -shiftOf(id, message.deliveredAt)));
    return added.map(({ id }) => id);
  }

  /** Notes where the file of a message lies now. */
  move(id: number, file: Pick<FoundFile, "part" | "suffix">): void {
    const row = this.#database.get("SELECT folder, place FROM messages WHERE id = ?", id);
    if (row === undefined) return;
    const place = placeColumn(file);
    const fresh = isFresh(place) - isFresh(row["place"]);
    if (fresh !== 0) this.#folders.count(numberOf(row["folder"]), { messages: 0, fresh, bytes: 0 });
    this.#database.run("UPDATE messages SET place = ? WHERE id = ?", place, id);
  }

  /** Returns the number of rows that were there. */
  remove(ids: readonly number[]): number {
    let removed = 0;
    for (const id of ids) {
      const row = this.#database.get(
        "SELECT folder, shelf, size, unique_name, place FROM messages WHERE id = ?",
        id,
      );
      if (row === undefined) continue;
      this.#removeRow(id, row);
      removed += 1;
    }
    return removed;
  }

  #isKnown(folder: number, message: NewMessage): boolean {
    const known = knownFile(this.#database, folder, message.name);
    if (known === undefined) return false;
    if (known.place !== placeColumn(message)) this.move(known.id, message);
    return true;
  }

  #insertName(id: number, folder: number, { name }: NewMessage): void {
    const hash = nameHash(name);
    this.#database.run("INSERT INTO names (folder, hash, id) VALUES (?, ?, ?)", folder, hash, id);
  }

  #insert(id: number, numbers: FolderNumbers, message: NewMessage): void {
    const { extract, name, deliveredAt } = message;
    const { sha256, contentSha256, date, size } = extract;
    const place = placeColumn(message);
    const shelf = this.#shelves.add(id, textOfMessage(message));
    this.#database.run(
      `INSERT INTO messages (id, account, folder, shelf, shift, date, size, parsed, sha256, content_sha256,
         unique_name, place, message_id, subject, sender, recipients, attachments)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      id,
      numbers.account,
      numbers.folder,
      shelf,
      shiftOf(id, deliveredAt),
      date ?? null,
      size,
      extract.isParsed ? 1 : 0,
      Buffer.from(sha256, "hex"),
      contentSha256 === sha256 ? null : Buffer.from(contentSha256, "hex"),
      name,
      place,
      extract.messageId.slice(0, MESSAGE_ID_MAX),
      bounded(extract.subject),
      bounded(extract.from),
      bounded(extract.to),
      attachmentsColumn(extract.attachments),
    );
    this.#folders.count(numbers.folder, { messages: 1, fresh: isFresh(place), bytes: size });
  }

  #removeRow(id: number, row: Row): void {
    const folder = numberOf(row["folder"]);
    this.#shelves.remove(numberOf(row["shelf"]), id);
    this.#database.run(
      "DELETE FROM names WHERE folder = ? AND hash = ? AND id = ?",
      folder,
      nameHash(textOf(row["unique_name"])),
      id,
    );
    this.#database.run("DELETE FROM messages WHERE id = ?", id);
    const [fresh, bytes] = [isFresh(row["place"]), numberOf(row["size"])];
    this.#folders.count(folder, { messages: -1, fresh: -fresh, bytes: -bytes });
  }

  /** `most_shift` in ms: how far any id has ever been moved forward. */
  #noteShift(shifts: readonly number[]): void {
    const most = Math.max(0, ...shifts);
    if (most === 0) return;
    this.#database.run(
      `INSERT INTO meta (name, value) VALUES ('most_shift', ?)
         ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)`,
      most,
    );
  }
}

/** 1 for a message in new/, 0 for others. */
function isFresh(place: unknown): 0 | 1 {
  return typeof place === "string" && place.startsWith("cur") ? 0 : 1;
}

function keyOf({ account, directory, name }: FoundFile): string {
  return `${account}/${directory}/${name}`;
}

function textOfMessage({ account, directory, extract }: NewMessage): ShelfText {
  const { from, to, subject, body, attachments, attachmentTexts } = extract;
  return {
    subject: indexText(subject),
    from: indexText(from),
    to: indexText(to),
    body: indexText(body),
    attachment: indexText(attachmentTexts.join("\n")),
    filename: indexText(attachments.join("\n")),
    terms: termsOf(account, folderNameOf(directory), extract).join(" "),
  };
}

function termsOf(
  account: string,
  folder: string,
  { hasAttachment, isParsed, messageId, size }: Extract,
): string[] {
  const terms = [
    markTerm("account", account.toLowerCase()),
    markTerm("folder", folder.toLowerCase()),
    sizeTerm(size),
  ];
  if (messageId !== "") terms.push(markTerm("id", messageId));
  if (hasAttachment) terms.push(markTerm("attachment", ""));
  if (!isParsed) terms.push(markTerm("unparsed", ""));
  return terms;
}
