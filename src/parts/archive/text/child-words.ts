// What the archive and its text processes say to each other.

import type { Extract } from "./extract.ts";

/** Read one file. `plainly`: its headers and raw text only, because it has cost a process before. */
export interface Order {
  readonly id: number;
  readonly path: string;
  readonly plainly: boolean;
}

export type Answer =
  | { readonly kind: "ready" }
  /** A large file is being hashed. */
  | { readonly kind: "alive" }
  /** All but the text of documents, in case that these end the process. */
  | { readonly kind: "partly"; readonly id: number; readonly extract: Extract }
  | { readonly kind: "extract"; readonly id: number; readonly extract: Extract }
  | { readonly kind: "gone"; readonly id: number }
  /** The file cannot be read now. */
  | { readonly kind: "failed"; readonly id: number; readonly code: string; readonly text: string };
