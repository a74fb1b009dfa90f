// The folder of the archive for a message: the one that the user names, or the one that the source names, made safe.

import { folderDirectoryOf } from "../model/folder-name.ts";

const DIRECTORY_MAX = 255;
const DEPTH_MAX = 20;

/** A name that is one directory of a Maildir, whatever a sender or a label has chosen. The inbox for an empty one. */
export function safeFolder(name: string): string {
  const components = name
    .toWellFormed()
    .replaceAll(/\p{Cc}/gu, "")
    .split("/")
    .map((component) => component.trim())
    .filter((component) => component !== "")
    .slice(0, DEPTH_MAX);
  const [first = "INBOX"] = components;
  if (components.length <= 1 && first.toUpperCase() === "INBOX") return "INBOX";
  if (first.startsWith(".")) components[0] = `_${first.slice(1)}`;
  return shortened(components.join("/"));
}

function shortened(name: string): string {
  let short = name;
  while (Buffer.byteLength(folderDirectoryOf(short)) > DIRECTORY_MAX) {
    short = Array.from(short).slice(0, -1).join("").replace(/\/$/, "");
  }
  return short;
}
