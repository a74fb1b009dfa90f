// The place that a delivery went to or a reply came from: a value, written as text for the log, for reports and for
// people.

/** A host at one of its addresses, a file that was written, or the Unix socket of a server on this machine. */
export type Place =
  | {
      readonly kind: "host";
      readonly name: string;
      readonly address: string;
      readonly port: number;
    }
  | { readonly kind: "file" | "socket"; readonly path: string };

/** "mx.example.net [192.0.2.1]", followed by ":587" if the port is not 25; or a path. */
export function placeText(place: Place): string {
  if (place.kind !== "host") return place.path;
  const { name, address, port } = place;
  return `${name} [${address}]${port === 25 ? "" : `:${port}`}`;
}

/**
 * The name by which retry rules and the table of replies know the server that replied: the host's name, or the path of
 * its socket. Undefined for a file.
 */
export function speakerOf(place: Place | undefined): string | undefined {
  if (place === undefined || place.kind === "file") return undefined;
  return place.kind === "host" ? place.name : place.path;
}
