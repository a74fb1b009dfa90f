// A message for a reader, read in a process of its own with limits. A message that ends the process is shown as it is in
// its file.

import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { isTable } from "../../../base/table.ts";
import { decodeText } from "./charset.ts";
import { RAW_OCTETS } from "./limits.ts";
import type { MessageView } from "./message-view.ts";

export type { ViewedPart } from "./message-view.ts";

const PROGRAM = fileURLToPath(new URL("./view-process.ts", import.meta.url));
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const HEAP_MEGABYTES = 96;
/** Milliseconds. */
const TIME = 10_000;
const OUTPUT = 32 << 20;

/** "gone" if no regular file has this name. Rejects with the reason of the signal. */
export async function viewMessage(
  path: string,
  signal: AbortSignal,
): Promise<MessageView | "gone"> {
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [`--max-old-space-size=${HEAP_MEGABYTES}`, PROGRAM, path],
      { timeout: TIME, killSignal: "SIGKILL", maxBuffer: OUTPUT, signal, env: {} },
    );
    const view: unknown = JSON.parse(stdout);
    if (view === "gone" || isView(view)) return view;
  } catch {
    signal.throwIfAborted();
  }
  return plainView(path);
}

function isView(value: unknown): value is MessageView {
  return isTable(value) && typeof value["text"] === "string" && Array.isArray(value["parts"]);
}

/** The beginning of the file as text. */
async function plainView(path: string): Promise<MessageView> {
  await using file = await open(path, FLAGS);
  const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(RAW_OCTETS), 0, RAW_OCTETS, 0);
  return {
    text: decodeText(buffer.subarray(0, bytesRead), ""),
    html: "",
    parts: [],
    isWhole: false,
  };
}
