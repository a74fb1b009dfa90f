// The configuration of Dovecot 2.4, which has other names for the same settings.

import { type DovecotSettings, headOf, specialFolders } from "./dovecot-23.ts";

export function textFor24(settings: DovecotSettings): string {
  const { maildir, state, users, owner, readOnlyRights } = settings;
  const own = `${escaped(state)}/%{user | domain}/%{user | username}`;
  const seen = readOnlyRights === undefined ? "" : `\nmail_index_private_path = ${own}/seen`;
  return `dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
${headOf(settings, "2.4")}
protocols {
  imap = yes
}
${listenersOf(settings)}
auth_username_format = %{user | lower}
auth_mechanisms = plain login
first_valid_uid = ${owner.uid}
first_valid_gid = ${owner.gid}

mail_driver = maildir
mail_path = ${pathOf(maildir)}
mail_index_path = ${own}
mail_control_path = ${own}${seen}
${readOnlyRights === undefined ? "" : RIGHTS}
namespace inbox {
  inbox = yes
  separator = /
${specialFolders(settings, (name, use) => `  mailbox ${name} {\n    auto = no\n    special_use = ${use}\n  }`)}
}

service auth {
  user = ${owner.name}
}
passdb passwd-file {
  passwd_file_path = ${users}
}
userdb static {
  fields {
    uid = ${owner.uid}
    gid = ${owner.gid}
    home = ${own}
  }
}
`;
}

/** The same rights as in etc/dovecot/read-only.acl. */
const RIGHTS = `mail_plugins {
  acl = yes
}
acl_driver = vfile
acl_globals_only = yes
acl owner {
  rights = lrs
}
`;

function listenersOf({ certificate, key, port }: DovecotSettings): string {
  if (certificate === undefined || key === undefined) {
    return `# No listener in routers.toml has a certificate: only programs on this machine can log in.
listen = 127.0.0.1
ssl = no
auth_allow_cleartext = yes
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
ssl_server_cert_file = ${certificate}
ssl_server_key_file = ${key}
ssl_min_protocol = TLSv1.2
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

function pathOf(maildir: string): string {
  return escaped(maildir)
    .replaceAll("{domain}", "%{user | domain}")
    .replaceAll("{local_part}", "%{user | username}");
}

/** Dovecot expands what is in braces after a percent sign. */
function escaped(path: string): string {
  return path.replaceAll("%", "%%");
}
