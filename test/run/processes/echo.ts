// A part with a process of its own, for the tests: it greets who connects, says back what it hears, and does as it is told.
// Run as a program it is that process.

import type { Socket } from "node:net";
import { systemClock } from "../../../src/base/clock.ts";
import { loadConfiguration } from "../../../src/config/load.ts";
import { listenAddress, nested, optional, options, text } from "../../../src/options/options.ts";
import { part } from "../../../src/parts/part.ts";
import { parts } from "../../../src/parts.ts";
import { builtInWith } from "../../../src/built-in.ts";
import { servePart } from "../../../src/run/serve-part.ts";

export const echo = part({
  name: "echo",
  sections: {
    echo: optional(
      nested(
        "Says back what it hears.",
        options({ address: listenAddress("Where."), greeting: text("What it says first.") }),
      ),
    ),
  },
  process: {
    isWanted: ({ echo: own }) => own !== undefined,
    addresses: ({ echo: own }) => (own === undefined ? [] : [own.address]),
    serve({ sections }) {
      const clients = new Set<Socket>();
      if (sections.echo?.greeting === "unable") return Promise.reject(new Error("cannot serve"));
      return Promise.resolve({
        connected(socket) {
          clients.add(socket);
          socket.on("error", () => undefined);
          socket.write(`${sections.echo?.greeting} ${process.pid}\n`);
          socket.on("data", (heard: Buffer) => {
            const word = heard.toString().trim();
            if (word === "die") process.exit(3);
            if (word === "deaf")
              process.removeAllListeners("SIGTERM").on("SIGTERM", () => undefined);
            socket.write(heard);
          });
          socket.resume();
        },
        close() {
          for (const socket of clients) socket.end("bye\n");
          return Promise.resolve();
        },
      });
    },
  },
});

export const withEcho = builtInWith([...parts, echo]);

if (import.meta.main) {
  const loaded = await loadConfiguration(process.argv[2] ?? "", withEcho);
  if (!("configuration" in loaded)) throw new Error(JSON.stringify(loaded));
  const log = {
    event: (name: string, fields: object) => console.log(name, JSON.stringify(fields)),
  };
  const served = servePart(echo, loaded.configuration, { clock: systemClock, log });
  process.exit(
    await served.then(
      () => 0,
      () => 1,
    ),
  );
}
