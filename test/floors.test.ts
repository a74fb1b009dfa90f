// The house of src/README.md: floors, doors and parts, as the page says. It is read here, so that page and source agree.

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { describe, test } from "node:test";

const ROOT = join(import.meta.dirname, "..");
const read = (file: string) => readFileSync(join(ROOT, file), "utf8");

interface Room {
  /** "src/queue", or a file that is a room of its own. */
  readonly path: string;
  readonly floor: number;
  /** Absent: every file is one. */
  readonly door?: string;
}

interface Import {
  readonly from: string;
  readonly to: string;
}

interface House {
  readonly rooms: readonly Room[];
  readonly files: readonly string[];
  readonly imports: readonly Import[];
  /** By room: the files that the head of its door names. */
  readonly named: ReadonlyMap<string, readonly string[]>;
}

/** The tree: `  name/   5 *  what it is for (door.ts)`, two blanks deeper for what is inside. */
function roomsOf(page: string): Room[] {
  const tree = /^```\n(.*?)^```$/ms.exec(page)?.[1] ?? "";
  const above: string[] = [];
  return tree.split("\n").flatMap((line) => {
    const parts = /^( *)([\w.-]+\/?)(?: +([\d.]+)( \*)?)?(?:  +\S.*?(?:\((\S+\.ts)\))?)?$/.exec(
      line,
    );
    if (parts === null) {
      assert.equal(line.trim(), "", "a line of the tree that cannot be read");
      return [];
    }
    const [, indent = "", name = "", floor, shelf, door] = parts;
    const path = join(above[indent.length / 2 - 1] ?? "", name).replace(/\/$/, "");
    above.splice(indent.length / 2, Infinity, path);
    if (floor === undefined) return [];
    const doors = shelf === undefined ? { door: join(path, door ?? `${basename(path)}.ts`) } : {};
    return [{ path, floor: Number(floor), ...(name.endsWith("/") ? doors : { door: path }) }];
  });
}

/** Types, workers and modules that are loaded later included. */
function importsOf(file: string, text: string): Import[] {
  const written =
    /\b(?:from|import)\s*\(?\s*"(\.[^"]+)"|new URL\("([^"]+\.[jt]s)", import\.meta\.url\)/g;
  return Array.from(text.matchAll(written), ([, module, worker = ""]) => ({
    from: file,
    to: normalize(join(dirname(file), module ?? worker)),
  }));
}

/** `// Doors: a.ts, b.ts.` in the comment at the head of a file, over as many lines as it takes. */
function doorsNamedIn(text: string): string[] {
  const head = /^(?:\/\/.*\n)*/.exec(text)?.[0] ?? "";
  const list = /^\/\/ Doors: ((?:.|\n)*?)\.$/m.exec(head)?.[1] ?? "";
  return list.replaceAll("\n//", "").split(/,\s*/).filter(Boolean);
}

function roomOf(path: string, rooms: readonly Room[]): Room | undefined {
  return rooms
    .filter((room) => path === room.path || path.startsWith(`${room.path}/`))
    .toSorted((one, other) => other.path.length - one.path.length)[0];
}

/** Imports that lead from one room to another. */
function between(house: House): (Import & { readonly of: Room; readonly in: Room })[] {
  return house.imports.flatMap((one) => {
    const of = roomOf(one.from, house.rooms);
    const into = roomOf(one.to, house.rooms);
    return of === undefined || into === undefined || of === into ? [] : [{ ...one, of, in: into }];
  });
}

const shown = ({ from, to }: Import) => `${from} imports ${to}`;

function homeless({ files, rooms }: House): string[] {
  return files.filter((file) => roomOf(file, rooms) === undefined);
}

function empty({ files, rooms }: House): string[] {
  return rooms
    .filter((room) => !files.some((file) => roomOf(file, rooms) === room))
    .map(({ path }) => path);
}

function upward(house: House): string[] {
  return between(house)
    .filter((one) => one.in.floor >= one.of.floor)
    .map(shown);
}

function throughWalls(house: House): string[] {
  return between(house)
    .filter(({ to, in: { path, door } }) => {
      const named = house.named.get(path)?.map((name) => join(path, name)) ?? [];
      return door !== undefined && to !== door && !named.includes(to);
    })
    .map(shown);
}

/** Doors that are named and that nobody goes through. */
function unusedDoors(house: House): string[] {
  const used = new Set(between(house).map(({ to }) => to));
  return Array.from(house.named).flatMap(([path, names]) =>
    names.map((name) => join(path, name)).filter((door) => !used.has(door)),
  );
}

function partsImported(house: House): string[] {
  return between(house)
    .filter(({ in: { path } }) => dirname(path) === "src/parts" && path !== "src/parts/part.ts")
    .filter(({ from }) => from !== "src/parts.ts")
    .map(shown);
}

/** Only the spool itself and the place where the relay is put together know which engine it has. */
function enginesImported(house: House): string[] {
  return between(house)
    .filter(({ in: { path } }) => dirname(path) === "src/spool")
    .filter(({ of: { path } }) => path !== "src/run" && !path.startsWith("src/spool"))
    .map(shown);
}

function readHouse(): House {
  const rooms = roomsOf(read("src/README.md"));
  const files = globSync("{src,routers,transports}/**/*.{ts,js}", { cwd: ROOT });
  const doors = rooms.flatMap(({ path, door }) =>
    door === undefined || door === path ? [] : [[path, doorsNamedIn(read(door))] as const],
  );
  const imports = files.flatMap((file) => importsOf(file, read(file)));
  return { rooms, files, imports, named: new Map(doors) };
}

describe("the source", () => {
  const house = readHouse();

  test("has a room for every file, and a file in every room", () => {
    assert.deepEqual([homeless(house), empty(house)], [[], []]);
  });

  test("imports nothing from the same floor or a higher one", () => {
    assert.deepEqual(upward(house), []);
  });

  test("imports from another room only its doors, and each door is used", () => {
    assert.deepEqual([throughWalls(house), unusedDoors(house)], [[], []]);
  });

  test("imports an engine of the spool in src/run/ alone", () => {
    assert.deepEqual(enginesImported(house), []);
  });

  test("imports a part in the table of parts alone", () => {
    assert.deepEqual(partsImported(house), []);
  });
});

describe("what these tests read", () => {
  const PAGE = `
# A page

\`\`\`
src/
  main.ts        9    the program

  low/           1 *  a shelf
    deep/        2    inside of it
  spool/         3    a store
    disk/      3.5    its engine
  run/           7    puts it together
  parts/              not a room
    report/      5    a part (start.ts)
routers/         4    drivers
\`\`\`
`;
  const rooms = roomsOf(PAGE);
  const house = (...imports: [from: string, to: string][]): House => ({
    rooms,
    files: ["src/main.ts", "src/low/a.ts", "src/odd.ts"],
    imports: imports.map(([from, to]) => ({ from, to })),
    named: new Map([["src/low/deep", ["side.ts", "idle.ts"]]]),
  });

  test("rooms, their floors and their doors", () => {
    assert.deepEqual(rooms, [
      { path: "src/main.ts", floor: 9, door: "src/main.ts" },
      { path: "src/low", floor: 1 },
      { path: "src/low/deep", floor: 2, door: "src/low/deep/deep.ts" },
      { path: "src/spool", floor: 3, door: "src/spool/spool.ts" },
      { path: "src/spool/disk", floor: 3.5, door: "src/spool/disk/disk.ts" },
      { path: "src/run", floor: 7, door: "src/run/run.ts" },
      { path: "src/parts/report", floor: 5, door: "src/parts/report/start.ts" },
      { path: "routers", floor: 4, door: "routers/routers.ts" },
    ]);
  });

  test("imports of every kind", () => {
    const text = `
import { a } from "./a.ts";
import type {
  B,
} from "../b/b.ts";
import "./c.ts";
export * from "./d.ts";
const e = await import("./e.ts");
let f: import("./f.ts").F;
new Worker(new URL("g.ts", import.meta.url));
/** @import { H } from "./h.ts" */
import { join } from "node:path";
`;
    const names = importsOf("src/x/x.ts", text).map(({ to }) => to.replace("src/", ""));
    const here = ["c.ts", "d.ts", "e.ts", "f.ts", "g.ts", "h.ts"].map((name) => `x/${name}`);
    assert.deepEqual(names, ["x/a.ts", "b/b.ts", ...here]);
  });

  test("doors that a head names", () => {
    const head = "// A room.\n//\n// Doors: a.ts, b/b.ts,\n// c.ts.\n";
    assert.deepEqual(doorsNamedIn(`${head}\n// Doors: d.ts.\n`), ["a.ts", "b/b.ts", "c.ts"]);
    assert.deepEqual(doorsNamedIn("// A room.\n\nimport"), []);
  });

  test("what is wrong with a house", () => {
    const odd = house();
    assert.deepEqual(homeless(odd), ["src/odd.ts"]);
    assert.deepEqual(
      empty(odd),
      ["low/deep", "spool", "spool/disk", "run", "parts/report"]
        .map((room) => `src/${room}`)
        .concat("routers"),
    );
    const down = house(["routers/x.ts", "src/low/a.ts"], ["src/low/a.ts", "src/low/b.ts"]);
    assert.deepEqual([upward(down), throughWalls(down), partsImported(down)], [[], [], []]);
    const up = house(["src/low/a.ts", "routers/x.ts"]);
    assert.deepEqual(upward(up), ["src/low/a.ts imports routers/x.ts"]);
    const walls = house(
      ["routers/x.ts", "src/low/deep/deep.ts"],
      ["routers/x.ts", "src/low/deep/side.ts"],
      ["routers/x.ts", "src/low/deep/wall.ts"],
    );
    assert.deepEqual(throughWalls(walls), ["routers/x.ts imports src/low/deep/wall.ts"]);
    assert.deepEqual(unusedDoors(walls), ["src/low/deep/idle.ts"]);
    const engines = house(
      ["src/run/run.ts", "src/spool/disk/disk.ts"],
      ["src/spool/spool.ts", "src/spool/disk/disk.ts"],
      ["routers/x.ts", "src/spool/disk/disk.ts"],
    );
    assert.deepEqual(enginesImported(engines), ["routers/x.ts imports src/spool/disk/disk.ts"]);
    const part = house(["src/main.ts", "src/parts/report/start.ts"]);
    assert.deepEqual(partsImported(part), ["src/main.ts imports src/parts/report/start.ts"]);
  });
});
