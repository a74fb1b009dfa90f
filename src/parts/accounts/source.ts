// A directory of accounts, whoever runs it. Each source is a file in sources/.

/** A user or a group, with all its addresses, in lower case. */
export interface FoundAccount {
  /** The primary address. */
  readonly address: string;
  readonly aliases: readonly string[];
  readonly state: "active" | "suspended" | "archived";
}

/** A complete directory. A source returns nothing less. */
export interface FoundDirectory {
  readonly users: readonly FoundAccount[];
  readonly groups: readonly FoundAccount[];
  /** The members of each group, by its primary address. Absent: they were not asked for. */
  readonly members?: ReadonlyMap<string, readonly string[]>;
}

/**
 * `key`: the credentials cannot be used. `refused`: the directory says no. `unreachable`: no usable answer in time.
 * `half`: it has answered in part.
 */
type DirectoryErrorKind = "key" | "refused" | "unreachable" | "half";

/** The directory could not be read whole. The message is one line for the postmaster, without secrets. */
export class DirectoryError extends Error {
  readonly kind: DirectoryErrorKind;

  constructor(kind: DirectoryErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "DirectoryError";
    this.kind = kind;
  }
}
