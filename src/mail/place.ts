// Where a delivery went, or who spoke of it: a value, whose text is made for the log, for reports and for people.

/** A host at one of its addresses; a file that was written; a Unix socket of a server on this machine. */
export type Place =
  | {
      readonly kind: "host";
      readonly name: string;
      readonly address: string;
      readonly port: number;
    }
  | { readonly kind: "file" | "socket"; readonly path: string };

/** "mx.example.net [192.0.2.1]", ":587" behind it if the port is not 25; or a path. */
export function placeText(place: Place): string {
  if (place.kind !== "host") return place.path;
  const { name, address, port } = place;
  return `${name} [${address}]${port === 25 ? "" : `:${port}`}`;
}

/** Who spoke, by the name that retry rules and the table of replies know: a host's, or the path of a server's socket. */
export function speakerOf(place: Place | undefined): string | undefined {
  if (place === undefined || place.kind === "file") return undefined;
  return place.kind === "host" ? place.name : place.path;
}
