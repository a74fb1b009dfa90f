// The configuration of Dovecot 2.3.

/** The values that a configuration of Dovecot is made of. All paths are absolute. */
export interface DovecotSettings {
  /** routers.toml. */
  readonly file: string;
  /** The Maildir of an account, with {domain} and {local_part}. */
  readonly maildir: string;
  /** The folder in it for sent mail, as "Sent"; undefined if no transport keeps sent mail there. */
  readonly sent: string | undefined;
  /** The directory for all that Dovecot writes. */
  readonly state: string;
  /** The passwd-file with the users. */
  readonly users: string;
  readonly owner: { readonly name: string; readonly uid: number; readonly gid: number };
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  /** The port for IMAP over TLS; without a certificate, for IMAP in the clear, on the loopback only. */
  readonly port: number;
  /** The file with the rights of users on their mail. Undefined: they may change it. */
  readonly readOnlyRights: string | undefined;
}

export function headOf({ file, readOnlyRights }: DovecotSettings, version: string): string {
  const access = readOnlyRights === undefined ? " --write-access" : "";
  const what =
    readOnlyRights === undefined
      ? `# Users may change their mail: flags, folders and deletions change the Maildirs.`
      : `# The Maildirs are served read-only. What a user has seen is remembered elsewhere.`;
  return `# Dovecot ${version}, for ${file}
# Made by: relayctl dovecot-config --version ${version}${access}
${what}
`;
}

export function textFor23(settings: DovecotSettings): string {
  const { maildir, state, users, owner, readOnlyRights } = settings;
  const own = `${escaped(state)}/%d/%n`;
  const seen = readOnlyRights === undefined ? "" : `:INDEXPVT=${own}/seen`;
  return `${headOf(settings, "2.3")}
protocols = imap
${listenersOf(settings)}
auth_username_format = %Lu
auth_mechanisms = plain login
first_valid_uid = ${owner.uid}
first_valid_gid = ${owner.gid}

mail_location = maildir:${pathOf(maildir)}:INDEX=${own}:CONTROL=${own}${seen}
${rightsOf(readOnlyRights)}
namespace inbox {
  inbox = yes
  separator = /
${specialFolders(settings, (name, use) => `  mailbox ${name} {\n    auto = no\n    special_use = ${use}\n  }`)}
}

service auth {
  user = ${owner.name}
}
passdb {
  driver = passwd-file
  args = username_format=%u ${users}
}
userdb {
  driver = static
  args = uid=${owner.uid} gid=${owner.gid} home=${own}
}
`;
}

function listenersOf({ certificate, key, port }: DovecotSettings): string {
  if (certificate === undefined || key === undefined) {
    return `# No listener in routers.toml has a certificate: only programs on this machine can log in.
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
service imap-login {
  inet_listener imap {
    port = ${port}
  }
  inet_listener imaps {
    port = 0
  }
}`;
  }
  return `listen = *, ::
ssl = required
ssl_cert = <${certificate}
ssl_key = <${key}
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = yes
service imap-login {
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = ${port}
    ssl = yes
  }
}`;
}

/** Only these rights count: no file in a Maildir gives others, and Dovecot writes none there. */
function rightsOf(file: string | undefined): string {
  if (file === undefined) return "";
  return `mail_plugins = acl
plugin {
  acl = vfile:${file}
  acl_globals_only = yes
}
`;
}

/** The folders with a special use. Those that a user cannot make do not exist read-only. */
export function specialFolders(
  { sent, readOnlyRights }: DovecotSettings,
  folder: (name: string, use: string) => string,
): string {
  const others = { Drafts: "\\Drafts", Trash: "\\Trash", Junk: "\\Junk" };
  const all = Object.entries({
    ...(sent === undefined ? {} : { [sent]: "\\Sent" }),
    ...(readOnlyRights === undefined ? others : {}),
  });
  return all.map(([name, use]) => folder(name, use)).join("\n");
}

function pathOf(maildir: string): string {
  return escaped(maildir).replaceAll("{domain}", "%d").replaceAll("{local_part}", "%n");
}

/** Dovecot expands what follows a percent sign. */
function escaped(path: string): string {
  return path.replaceAll("%", "%%");
}
