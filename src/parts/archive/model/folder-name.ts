// Names of folders and their directories. Maildir++ keeps the folder Archive/2026 in the directory ".Archive.2026", each
// component in the modified UTF-7 of RFC 3501 5.1.3.
//
// Invariant: each directory has one name, and each name one directory. A directory that no name would be encoded to,
// such as ".Gelöscht" in plain UTF-8, has its own name as the name of the folder, with its dot.

const INBOX = "INBOX";

/** `directory` is below the Maildir: "" for the Maildir itself, ".Sent". */
export function folderNameOf(directory: string): string {
  if (directory === "") return INBOX;
  const name = decoded(directory);
  return name !== undefined && encoded(name) === directory ? name : directory;
}

/** The directory of a folder below its Maildir. */
export function folderDirectoryOf(name: string): string {
  if (name === INBOX) return "";
  return name.startsWith(".") ? name : encoded(name);
}

function decoded(directory: string): string | undefined {
  const components = directory.slice(1).split(".").map(fromUtf7);
  if (components.some((part) => part === undefined || part === "" || part.includes("/"))) return;
  const name = components.join("/");
  return name === INBOX || name.startsWith(".") || !name.isWellFormed() ? undefined : name;
}

function encoded(name: string): string {
  return `.${name.split("/").map(toUtf7).join(".")}`;
}

function toUtf7(text: string): string {
  return text
    .replaceAll("&", "&-")
    .replaceAll(/[^\x20-\x7e]+/g, (run) => `&${base64Of(Buffer.from(run, "utf16le").swap16())}-`)
    .replaceAll(".", "&AC4-");
}

function fromUtf7(text: string): string | undefined {
  if (/[^\x20-\x7e]/.test(text)) return undefined;
  return text.replaceAll(/&([^-]*)-/g, (_, run: string) => (run === "" ? "&" : utf16Of(run)));
}

function base64Of(octets: Buffer): string {
  return octets.toString("base64").replaceAll("=", "").replaceAll("/", ",");
}

function utf16Of(run: string): string {
  const octets = Buffer.from(run.replaceAll(",", "/"), "base64");
  return octets
    .subarray(0, octets.length & ~1)
    .swap16()
    .toString("utf16le");
}
