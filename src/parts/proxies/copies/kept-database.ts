// The messages that the proxies kept, by account and SHA-256, in a SQLite database.
//
// Invariant: a message is written down before its file gets its name in the Maildir, and crossed off if that fails. So
// after a crash each message that is only written down is looked for in its Maildir: no message is kept twice.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Database } from "../../../base/durable/database.ts";
import { numberOf, textOf } from "../../../base/durable/columns.ts";
import { errorCode } from "../../../base/error-code.ts";
import { idInName } from "../../../maildir/file-names.ts";

/** A copy that is about to get its name in a Maildir. */
export interface Claim {
  readonly account: string;
  /** In hexadecimal digits. */
  readonly sha256: string;
  /** The id in the name of the file. */
  readonly id: string;
  readonly maildir: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface AccountCount {
  readonly account: string;
  readonly kept: number;
}

/** `maildir` is empty once the file is known to be there. */
const TABLE = `
CREATE TABLE IF NOT EXISTS kept (
  account TEXT NOT NULL,
  sha256 BLOB NOT NULL,
  id TEXT NOT NULL,
  maildir TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (account, sha256)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS under_way ON kept (id) WHERE maildir <> '';
`;

export class KeptDatabase {
  readonly #database: Database;
  /** Copies that are done. They are written with the next claim. */
  #done: Claim[] = [];

  constructor(directory: string) {
    this.#database = new Database(join(directory, "kept.sqlite"));
    this.#database.exec(TABLE);
    this.#recover();
  }

  /**
   * True if the message is new: it is written down now. False if it was kept before. A copy that is written down and not
   * done has failed: the caller makes no two claims for one message at the same time.
   */
  claim(claim: Claim): boolean {
    const isNew = this.#database.atomically(() => {
      for (const done of this.#done) this.#write(done, "");
      const known = this.#database.get(
        "SELECT maildir FROM kept WHERE account = ? AND sha256 = ?",
        claim.account,
        Buffer.from(claim.sha256, "hex"),
      );
      if (known !== undefined && textOf(known["maildir"]) === "") return false;
      this.#write(claim, claim.maildir);
      return true;
    });
    this.#done = [];
    return isNew;
  }

  /** The file has its name. */
  done(claim: Claim): void {
    this.#done.push(claim);
  }

  /** The file could not be written. */
  release(id: string): void {
    this.#database.atomically(() => {
      this.#database.run("DELETE FROM kept WHERE id = ? AND maildir <> ''", id);
    });
  }

  counts(): AccountCount[] {
    return this.#database
      .all("SELECT account, count(*) AS kept FROM kept GROUP BY account ORDER BY account")
      .map((row) => ({ account: textOf(row["account"]), kept: numberOf(row["kept"]) }));
  }

  /** Writes down which copies are done. If it throws, they are written later. */
  flush(): void {
    if (this.#done.length === 0) return;
    this.#database.atomically(() => {
      for (const done of this.#done) this.#write(done, "");
    });
    this.#done = [];
  }

  close(): void {
    this.flush();
    this.#database.close();
  }

  #write({ account, sha256, id, at }: Claim, maildir: string): void {
    const columns = [account, Buffer.from(sha256, "hex"), id, maildir, at];
    this.#database.run("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?, ?)", ...columns);
  }

  /** Judges the copies that were under way when the last process ended. */
  #recover(): void {
    const rows = this.#database.all("SELECT id, maildir FROM kept WHERE maildir <> ''");
    if (rows.length === 0) return;
    const found = new Map<string, ReadonlySet<string>>();
    this.#database.atomically(() => {
      for (const row of rows) {
        const maildir = textOf(row["maildir"]);
        const ids = found.get(maildir) ?? idsIn(maildir);
        found.set(maildir, ids);
        const id = textOf(row["id"]);
        const judged = ids.has(id)
          ? "UPDATE kept SET maildir = '' WHERE id = ? AND maildir <> ''"
          : "DELETE FROM kept WHERE id = ? AND maildir <> ''";
        this.#database.run(judged, id);
      }
    });
  }
}

/** The ids of the files in a Maildir. new/ is read first: a reader moves files from there to cur/. */
function idsIn(maildir: string): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const part of ["new", "cur"]) {
    for (const name of namesIn(join(maildir, part))) {
      const id = idInName(name);
      if (id !== undefined) ids.add(id);
    }
  }
  return ids;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}
