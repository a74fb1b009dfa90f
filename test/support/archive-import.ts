// An import into an archive of a test.

import { systemClock } from "../../src/base/clock.ts";
import { NewFiles } from "../../src/maildir/new-files.ts";
import { Importer } from "../../src/parts/archive/import/import.ts";
import type { ImportCounts } from "../../src/parts/archive/import/importer.ts";
import { KnownContents } from "../../src/parts/archive/import/known-contents.ts";
import { openPathSource } from "../../src/parts/archive/import/path-source.ts";
import type { Source } from "../../src/parts/archive/import/source.ts";

export interface Imported extends ImportCounts {
  readonly refusals: readonly string[];
}

interface ImportOptions {
  readonly folder?: string;
  readonly known?: KnownContents;
  readonly account?: string;
}

export async function importSources(
  root: string,
  sources: readonly Source[],
  { folder, known = new KnownContents(), account = "bob@example.com" }: ImportOptions = {},
): Promise<Imported> {
  const refusals: string[] = [];
  const services = { clock: systemClock, hostname: "mx.example.com" };
  const files = new NewFiles({ root, mode: 0o600 }, services);
  const importer = new Importer(
    {
      directory: root,
      account,
      folder,
      files,
      known,
      ownHosts: new Set(["mx.example.com"]),
      clock: systemClock,
    },
    {
      refused: (where, why) => refusals.push(`${where}: ${why}`),
      skipped: () => undefined,
      progress: () => undefined,
    },
  );
  for (const source of sources) {
    await importer.take(source);
    await source.close?.();
  }
  return { ...importer.counts, refusals };
}

export async function importPaths(
  root: string,
  paths: readonly string[],
  options?: ImportOptions,
): Promise<Imported> {
  const sources: Source[] = [];
  for (const path of paths) sources.push(await openPathSource(path));
  return importSources(root, sources, options);
}
