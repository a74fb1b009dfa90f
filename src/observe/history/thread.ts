// The history's own thread. It writes the pieces of each request in transactions.

import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { HistoryDays, type HistoryLimits } from "./day-files.ts";
import type { Piece } from "./event-keys.ts";

export interface HistoryRequest {
  readonly now: number;
  readonly pieces: readonly Piece[];
  /** No further request follows. */
  readonly last?: true;
}

/** The answer to one request. */
export interface HistoryResponse {
  readonly failed?: string;
}

function serve(port: MessagePort, days: HistoryDays): void {
  port.on("message", ({ now, pieces, last }: HistoryRequest) => {
    const response = answer(() => {
      if (pieces.length > 0) days.write(pieces, now);
      if (last === true) days.close();
    });
    port.postMessage(response);
    if (last === true) port.close();
  });
}

function answer(write: () => void): HistoryResponse {
  try {
    write();
    return {};
  } catch (error) {
    return { failed: error instanceof Error ? error.message : String(error) };
  }
}

if (parentPort !== null) {
  const { spoolDirectory, ...limits }: HistoryLimits & { spoolDirectory: string } = workerData;
  serve(parentPort, new HistoryDays(spoolDirectory, limits));
}
