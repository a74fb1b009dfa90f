// Executors of system calls: threads in the relay, and in tests the calls that the test gives.

import { Worker } from "node:worker_threads";
import type { BatchReply, DiskReply, DiskRequest, Look } from "./disk-request.ts";
import type { FileCalls } from "../base/durable/file-calls.ts";

/** Makes calls one after the other. */
export interface Executor {
  post(requests: readonly DiskRequest[]): void;
  /** The number of calls that have returned so far. */
  progress(): number;
  close(): void;
}

export interface Executors {
  /** Whether `place` is offered: a whole file in one request. */
  readonly places: boolean;
  /** `onReply` gets each reply to a batch; `onEnd` gets the error if the executor dies. */
  start(onReply: (reply: BatchReply) => void, onEnd: (error: unknown) => void): Executor;
}

/** A thread holds one message at a time. */
const MEMORY = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 64, stackSizeMb: 1 };

const PROGRAM = new URL("disk-thread.js", import.meta.url);

export const inThreads: Executors = {
  places: true,
  start(onReply, onEnd) {
    const progress = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(PROGRAM, {
      workerData: progress.buffer,
      resourceLimits: MEMORY,
      trackUnmanagedFds: false,
    });
    let asked = 0;
    worker.unref();
    worker.on("message", (reply: BatchReply) => {
      // The process waits for a reply, and does not wait for an idle thread.
      if (!("names" in reply) && --asked === 0) worker.unref();
      onReply(reply);
    });
    worker.on("error", onEnd);
    return {
      post(requests) {
        if (asked++ === 0) worker.ref();
        const bytes = requests.flatMap((one) => ("bytes" in one ? one.bytes.buffer : []));
        worker.postMessage(requests, bytes);
      },
      progress: () => Atomics.load(progress, 0),
      close: () => void worker.terminate(),
    };
  },
};

/** An executor that makes the calls in this thread, by `calls`. */
export function inThisThread(calls: FileCalls): Executors {
  return {
    places: false,
    start(onReply) {
      let last: Promise<void> = Promise.resolve();
      let progress = 0;
      const answer = async (request: DiskRequest): Promise<DiskReply> => {
        try {
          return { value: await made(request, calls, onReply) };
        } catch (error) {
          return { error: error instanceof Error ? error : new Error(String(error)) };
        } finally {
          progress++;
        }
      };
      const answerAll = async (before: Promise<void>, requests: readonly DiskRequest[]) => {
        await before;
        const all: DiskReply[] = [];
        for (const request of requests) all.push(await answer(request));
        onReply({ all });
      };
      return {
        post(requests) {
          last = answerAll(last, requests);
        },
        progress: () => progress,
        close: () => undefined,
      };
    },
  };
}

async function made(
  request: DiskRequest,
  calls: FileCalls,
  onReply: (reply: BatchReply) => void,
): Promise<number | Look | undefined> {
  switch (request.op) {
    case "open":
      return calls.open(request.path, request.flags, request.mode);
    case "write": {
      const { fd, bytes } = request;
      return (await calls.write(fd, Buffer.from(bytes.buffer), 0, bytes.length)).bytesWritten;
    }
    case "fsync":
      await calls.fsync(request.fd);
      return undefined;
    case "close":
      await calls.close(request.fd);
      return undefined;
    case "unlink":
      await calls.unlink(request.path);
      return undefined;
    case "mkdir":
      await calls.mkdir(request.path, request.mode);
      return undefined;
    case "rename":
      await calls.rename(request.from, request.to);
      return undefined;
    case "names":
      for await (const name of calls.names(request.path)) onReply({ names: [name] });
      return undefined;
    case "access":
    case "fstat":
    case "lstat":
    case "place":
      throw new Error(`${request.op} is for threads`);
  }
}
