// The files that every page uses: styles and the script of the keys. They are part of the program.

import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import type { App } from "./visit.ts";

const PICO = new URL(import.meta.resolve("@picocss/pico/css/pico.classless.min.css"));
const STYLES = new URL("assets/unseen.css", import.meta.url);
const KEYS = new URL("assets/unseen.js", import.meta.url);

const FILES = [
  { name: "pico.css", type: "text/css; charset=utf-8", file: PICO },
  { name: "unseen.css", type: "text/css; charset=utf-8", file: STYLES },
  { name: "unseen.js", type: "text/javascript; charset=utf-8", file: KEYS },
];

export function staticFiles(app: App): void {
  for (const { name, type, file } of FILES) {
    const plain = readFileSync(file);
    const packed = gzipSync(plain, { level: 9 });
    app.get(`/static/${name}`, (context) => {
      const isPacked = (context.req.header("accept-encoding") ?? "").includes("gzip");
      return context.body(new Uint8Array(isPacked ? packed : plain), 200, {
        "content-type": type,
        "cache-control": "public, max-age=3600",
        vary: "accept-encoding",
        ...(isPacked ? { "content-encoding": "gzip" } : {}),
      });
    });
  }
}
