// Promise 1 without a second chance for the kernel: spool and Maildirs on a disk of their own, whose backing file is
// copied while the relay runs. What is in the copy is what a power cut would have left.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { startRelayProcess } from "../support/relay-process.ts";
import { eventually } from "./eventually.ts";
import { LARGE, numberOf, prepareGround, send, session, SMALL } from "./durability.ts";

const run = (command: string, ...args: readonly string[]) =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

interface Disk extends Disposable {
  readonly image: string;
  readonly mountPoint: string;
}

/** An ext4 that writes nothing back by itself, or a copy of one. */
function disk(directory: string, name: string, copyOf?: Disk): Disk {
  const image = join(directory, `${name}.img`);
  const mountPoint = join(directory, name);
  mkdirSync(mountPoint);
  if (copyOf === undefined) {
    run("dd", "if=/dev/zero", `of=${image}`, "bs=1M", "count=96", "status=none");
    run("mkfs.ext4", "-q", "-F", image);
  } else copyFileSync(copyOf.image, image);
  run("mount", "-o", "loop,commit=600", image, mountPoint);
  return {
    image,
    mountPoint,
    [Symbol.dispose]() {
      run("umount", "-l", mountPoint);
      rmSync(image);
    },
  };
}

/** For the `skip` option: a kernel may not let anybody mount, which is no fault of the relay. */
function cannotMount(): string | false {
  if (process.getuid?.() !== 0) return "needs root, to mount a disk image";
  const directory = mkdtempSync(join(tmpdir(), "unseen-mount-"));
  try {
    disk(directory, "probe")[Symbol.dispose]();
    return false;
  } catch (error) {
    return `cannot mount a disk image here: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const skip = cannotMount();

describe("after a power cut", { skip }, () => {
  for (const [when, sinkIsUp] of [
    ["at once after each 250", false],
    ["after the deliveries", true],
  ] as const) {
    it(`${when} every accepted message is in the spool or delivered, copy included`, async () => {
      const directory = mkdtempSync(join(tmpdir(), "unseen-power-"));
      using _ = { [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
      using first = disk(directory, "first");
      await using ground = await prepareGround({ directory: first.mountPoint });
      if (!sinkIsUp) await ground.sink.close();
      run("sync", "-f", join(first.mountPoint, "routers.toml"));
      const relay = await ground.start();
      using wire = await session(ground.port);
      for (const [index, size] of [SMALL, LARGE, SMALL, LARGE].entries()) {
        const number = index + 1;
        assert.match(await send(wire, number, size), /^250 /);
        if (sinkIsUp) await eventually("it is delivered", () => ground.arrived().length === number);
        // Stopped, so that the copy is of one moment; calls that are under way still end.
        process.kill(relay.pid, "SIGSTOP");
        await pause(50);
        using cut = disk(directory, `cut-${number}`, first);
        const before = sinkIsUp ? ground.arrived() : [];
        // Who waits for the next host waits for that one: it is back where it was.
        const after = await restartOn(cut.mountPoint, sinkIsUp ? undefined : ground.sink.port);
        process.kill(relay.pid, "SIGCONT");
        for (let sent = 1; sent <= number; sent++) {
          assert.ok([...before, ...after.arrived].includes(sent), `message ${sent} is lost`);
          assert.ok(after.copies.includes(sent), `the copy of message ${sent} is lost`);
        }
      }
      await relay.kill("SIGKILL");
    });
  }
});

/** A relay with the configuration and the spool of the disk, until its queue is empty. */
async function restartOn(
  directory: string,
  sinkPort: number | undefined,
): Promise<{ arrived: number[]; copies: number[] }> {
  await using ground = await prepareGround({ directory, sinkPort });
  const relay = await startRelayProcess(ground.config);
  const recovered = Number(/"spool.recovered","messages":(\d+)/.exec(relay.log())?.[1] ?? 0);
  const completed = () => relay.log().split('"message.completed"').length - 1;
  try {
    await eventually("the queue is empty", () => completed() >= recovered);
  } finally {
    await relay.kill("SIGTERM");
  }
  const mail = join(directory, "mail", "alice", "new");
  const copies = readdirSync(mail).map((name) =>
    numberOf(readFileSync(join(mail, name), "latin1")),
  );
  return { arrived: ground.arrived(), copies };
}

describe("a spool on a file system that is really full", { skip }, () => {
  for (const [what, options] of [
    ["space", "size=700k"],
    ["inodes", "size=20m,nr_inodes=14"],
  ] as const) {
    it(`without ${what} refuses for now, and goes on when there is some`, async () => {
      const directory = mkdtempSync(join(tmpdir(), "unseen-full-"));
      run("mount", "-t", "tmpfs", "-o", options, "tmpfs", directory);
      using _ = {
        [Symbol.dispose]: () => {
          run("umount", "-l", directory);
          rmSync(directory, { recursive: true });
        },
      };
      await using ground = await prepareGround({ directory });
      await ground.start();
      const replies: string[] = [];
      const accepted: number[] = [];
      for (let number = 1; number <= 20; number++) {
        using wire = await session(ground.port);
        const reply = await send(wire, number, LARGE);
        replies.push(reply);
        if (reply.startsWith("250")) accepted.push(number);
        else assert.match(reply, /^(452 4\.3\.1|451 4\.3\.0) /);
      }
      assert.ok(accepted.length < 20, replies.join("\n"));
      run("mount", "-o", "remount,size=90m,nr_inodes=5000", directory);
      using wire = await session(ground.port);
      assert.match(await send(wire, 21, LARGE), /^250 /);
      await eventually("all that was accepted arrives", () =>
        new Set([...accepted, 21]).isSubsetOf(new Set(ground.arrived())),
      );
      const bodies = join(directory, "spool", "bodies");
      await eventually("no body is left", () => readdirSync(bodies).length === 0);
    });
  }
});
