// Ages and sizes as text for people, in the largest unit that fits.

const SECOND = 1000;
const UNITS = [
  ["d", 86_400 * SECOND],
  ["h", 3600 * SECOND],
  ["m", 60 * SECOND],
] as const;

/** "4d", "2h", "14m", "3s": in the largest unit that fits. */
export function ageText(milliseconds: number): string {
  for (const [unit, length] of UNITS) {
    if (milliseconds >= length) return `${Math.floor(milliseconds / length)}${unit}`;
  }
  return `${Math.max(0, Math.floor(milliseconds / SECOND))}s`;
}

/** "940", "12K", "3.4M", "12G": binary, as everywhere in the configuration. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return String(bytes);
  const kibibytes = bytes / 1024;
  if (kibibytes < 1023.5) return `${rounded(kibibytes)}K`;
  if (kibibytes < 1024 * 1023.5) return `${rounded(kibibytes / 1024)}M`;
  return `${rounded(kibibytes / 1024 / 1024)}G`;
}

function rounded(value: number): string {
  return value < 10 ? value.toFixed(1) : String(Math.round(value));
}
