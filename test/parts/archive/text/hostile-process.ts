// A text process that does as the name of the file says, as if the content had led it there: it dies, loops, hangs or
// grows. Files with other names are read in the ordinary way.

import { basename } from "node:path";
import type { Answer, Order } from "../../../../src/parts/archive/text/child-words.ts";
import type { Extract } from "../../../../src/parts/archive/text/extract.ts";
import { extractFile, extractPlainly } from "../../../../src/parts/archive/text/extract-file.ts";

process.on("disconnect", () => process.exit());
process.on("message", (orders: Order[]) => {
  queue.push(...orders);
  if (queue.length === orders.length) void run();
});
const queue: Order[] = [];
const say = (answer: Answer) => process.send?.([answer]);
say({ kind: "ready" });

async function run(): Promise<void> {
  for (let order = queue[0]; order !== undefined; order = queue[0]) {
    const { id, path, plainly } = order;
    const partly = (extract: Extract) => say({ kind: "partly", id, extract });
    const means = { attachments: true, alive() {}, partly };
    const extract = await (plainly ? extractPlainly(path, () => {}) : extractFile(path, means));
    if (extract === "gone") throw new Error("no test does that");
    const [fate = "", ...when] = basename(path).split("-");
    if (when.includes("partly")) partly({ ...extract, isParsed: false });
    if (!plainly || when.includes("plainly")) await meet(fate);
    say({ kind: "extract", id, extract });
    queue.shift();
  }
}

async function meet(fate: string): Promise<void> {
  const all: unknown[] = [];
  if (fate === "dies") process.kill(process.pid, "SIGSEGV");
  if (fate === "throws") throw new Error("a fault");
  if (fate === "hangs") await new Promise(() => setInterval(() => {}, 1000));
  if (fate === "swells") {
    for (let count = 0; count < 65; count++) all.push(Buffer.alloc(1 << 20, 1));
    await new Promise(() => setInterval(() => {}, 1000));
  }
  if (!["spins", "grows", "allocates"].includes(fate)) return;
  for (;;) {
    if (fate === "grows") all.push(Array.from({ length: 1000 }));
    if (fate === "allocates") all.push(Buffer.alloc(1 << 20, 1));
  }
}
