// Mail from elsewhere on its way into the archive.

export { Importer } from "./importer.ts";
