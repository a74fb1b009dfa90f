// An archive with a configuration, for the commands.

import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { RIGHT } from "../../../config/configuration.ts";
import { type Finished, Place } from "../../../support/program.ts";

export class ArchivePlace extends Place {
  readonly mail = join(this.directory, "mail");
  readonly state = join(this.directory, "state");

  /** Writes routers.toml, with these lines in [archive]. */
  constructor(options = "") {
    super();
    const text = RIGHT.replace("[relay]\n", `[relay]\nspool_directory = "${this.directory}"\n`);
    this.write("routers.toml", `${text}[archive]\nstate = "state"\ndirectory = "mail"\n${options}`);
  }

  /** `place`: "example.com/bob/new/1.a". `age` in ms. */
  put(place: string, text: string, age = 86_400_000): string {
    const path = join(this.mail, place);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    const time = (Date.now() - age) / 1000;
    utimesSync(path, time, time);
    return path;
  }

  archive(...args: readonly string[]): Promise<Finished> {
    return this.relayctl("archive", ...args, "--config", "routers.toml");
  }
}
