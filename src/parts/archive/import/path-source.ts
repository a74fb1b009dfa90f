// A source by its path: an mbox, a zip, one message, or a directory.
//
// A file is opened before a process of root becomes the relay's user, so root can import files that only root may read.

import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename } from "node:path";
import { cannotRead } from "../../../base/file-errors.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import { DirectorySource } from "./directory-source.ts";
import { beginsLikeMail, fileKind, KIND_OCTETS } from "./file-kind.ts";
import { FileSource } from "./file-source.ts";
import type { Source } from "./source.ts";
import { ZipSource } from "./zip-source.ts";

/** Throws CommandError: 66 if the path cannot be read. */
export async function openPathSource(path: string): Promise<Source> {
  const file = await opened(path);
  const status = await file.stat();
  if (status.isDirectory()) {
    await file.close();
    return new DirectorySource(path);
  }
  if (!status.isFile()) {
    await file.close();
    throw new CommandError(`${path}: it is no regular file and no directory`, EXIT.noInput);
  }
  const { buffer, bytesRead } = await file.read(Buffer.alloc(KIND_OCTETS), 0, KIND_OCTETS, 0);
  const first = buffer.subarray(0, bytesRead);
  const kind = fileKind(basename(path), first);
  const { mtimeMs: time, size } = status;
  if (kind === "zip") return new ZipSource(path, file, size);
  // An empty file without a name for mail is an empty mbox.
  const isMbox = kind === "mbox" || (kind === "other" && size === 0);
  const isMail = kind !== "other" || isMbox || beginsLikeMail(first);
  return new FileSource(path, file, { size, time, isMbox, isMail });
}

async function opened(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw new CommandError(cannotRead(path, error), EXIT.noInput);
  }
}
