// `npm run docs`: writes docs/config.md again from the declarations.

import { writeFileSync } from "node:fs";
import { builtInDrivers } from "./built-in-drivers.ts";
import { configurationDocument } from "../config/document.ts";

writeFileSync(
  new URL("../../docs/config.md", import.meta.url),
  configurationDocument(builtInDrivers),
);
