// The type of the one function that we call in a file of mailauth without types.

declare module "mailauth/lib/tools.js" {
  /** The first of `domains` that shares its Organizational Domain with `from` (RFC 9989 3.2.10.1), or false. */
  export function getAlignment(
    from: string,
    domains: readonly string[],
    strict: boolean,
  ): object | false;
}
