// Folders as directories of an export, readable everywhere: what a file system of another kind does not take in a name is
// written as in an address, "%3A".

const UNSAFE = /[%<>:"\\|?*\p{Cc}]|^\.|[. ]$/gu;

/** The directory of a folder, with slashes: "Archive/2026". */
export function pathOfFolder(folder: string): string {
  return folder.split("/").map(safeName).join("/");
}

/** The folder of a directory that {@link pathOfFolder} has named. */
export function folderOfPath(path: string): string {
  return path.split("/").map(nameOf).join("/");
}

export function safeName(name: string): string {
  return name.replaceAll(UNSAFE, (character) =>
    encodeURIComponent(character).replace(/^[.*]$/, hex),
  );
}

function hex(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

function nameOf(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
