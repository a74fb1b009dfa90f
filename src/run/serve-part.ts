// The process of one part: `relayctl serve PART`, run by itself or as a child of `relayctl serve`.
//
// Invariant: a child ends with its relay, however the relay ended.

import { Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Log } from "../observe/log.ts";
import type { Part } from "../parts/part.ts";
import { dropRoot, makeRest } from "./drop-root.ts";
import { FrontDoor } from "./processes/front-door.ts";

/** Milliseconds that clients have to finish by themselves. */
const GRACE = 10_000;

/** Serves until a signal comes or the relay is gone. Rejects when the part cannot serve. */
export async function servePart(
  { name, process: own }: Part,
  configuration: Configuration,
  means: { readonly clock: Clock; readonly log: Log },
): Promise<void> {
  if (own === undefined) throw new Error(`${name} has no process of its own`);
  const { parts: sections, relay } = configuration;
  const addresses = own.addresses?.(sections) ?? [];
  const isChild = process.send !== undefined;
  const doors = isChild
    ? []
    : await Promise.all(addresses.map((one) => FrontDoor.open(one, means.clock)));
  const { user, hostname, spool_directory: spoolDirectory } = relay;
  if (!isChild && user !== undefined) {
    const directories = own.directories?.(sections, configuration) ?? [];
    const begun = dropRoot({ user, spoolDirectory, directories, log: means.log });
    for (const directory of begun) makeRest(directory);
  }
  const stopped = untilStopped(isChild);
  const served = await own.serve({ ...means, configuration, sections, hostname, spoolDirectory });
  const welcome = (socket: Socket, door: number): void => {
    const address = addresses[door];
    if (address === undefined || served.connected === undefined) return void socket.destroy();
    served.connected(socket, address);
  };
  for (const [door, frontDoor] of doors.entries()) {
    frontDoor.follow((socket) => {
      welcome(socket, door);
      return true;
    });
  }
  process.on("message", ({ door }: { readonly door: number }, socket) => {
    // The socket is missing if the client has gone in the meantime.
    if (socket instanceof Socket) welcome(socket, door);
  });
  if (isChild) process.send?.({ serves: true });
  else process.stderr.write("ready\n");
  await stopped;
  for (const door of doors) door.close();
  await served.close(GRACE);
}

/** A terminal sends SIGINT to all processes at once. A child ignores it, because its relay stops it in order. */
function untilStopped(isChild: boolean): Promise<void> {
  return new Promise((resolve) => {
    process.once("SIGTERM", () => resolve());
    process.on("SIGINT", () => {
      if (!isChild) resolve();
    });
    process.once("disconnect", () => resolve());
  });
}
