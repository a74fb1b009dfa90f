// The warnings of all parts about a configuration.

import type { Configuration } from "../config/configuration.ts";
import { parts } from "../parts.ts";

export async function partWarnings(configuration: Configuration): Promise<string[]> {
  const warnings: string[] = [];
  for (const part of parts) warnings.push(...((await part.warnings?.(configuration)) ?? []));
  return warnings;
}
