// Lines that `relayctl check` prints for a wrong relay rule, router, transport, retry rule or rate.

import { LAST_ROUTER, relayRule, testCases } from "./wrong.ts";

testCases({
  "a relay rule": {
    "lets in every IPv4 address": [
      relayRule('hosts = "0.0.0.0/0"'),
      "routers.toml:21: gate.relay[0].hosts: matches everybody: an open relay",
    ],
    "lets in every IPv6 address": [
      relayRule('hosts = ["127.0.0.1", "::/0"]'),
      "routers.toml:21: gate.relay[0].hosts: matches everybody: an open relay",
    ],
    "goes by certificates that no listener asks for, and that are none": [
      relayRule('hosts = "*"\nclient_certificates = "3F:2A"'),
      'routers.toml:22: gate.relay[0].client_certificates: "3F:2A": is not a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons',
      'routers.toml:22: gate.relay[0].client_certificates: no listener has client_certificates = "request": nobody is asked for one',
    ],
    "lets in everybody, and none of the certificates that could be shown": [
      relayRule('hosts = "*"\nclient_certificates = []'),
      "routers.toml:21: gate.relay[0].hosts: matches everybody: an open relay",
      "routers.toml:22: gate.relay[0].client_certificates: is empty: no client can show one of them",
      'routers.toml:22: gate.relay[0].client_certificates: no listener has client_certificates = "request": nobody is asked for one',
    ],
    "lets in everybody by a star": [
      relayRule('hosts = "*"'),
      "routers.toml:21: gate.relay[0].hosts: matches everybody: an open relay",
    ],
    "lets in everybody by two halves": [
      relayRule('hosts = ["0.0.0.0/1", "128.0.0.0/1"]'),
      "routers.toml:21: gate.relay[0].hosts: matches everybody: an open relay",
    ],
    "lets in everybody through a named list": [
      [
        '["127.0.0.1"]',
        '["::ffff:0.0.0.0/96"]\n[[gate.relay]]\nsender_domains = "*"\nhosts = "+trusted"',
      ],
      "routers.toml:11: gate.relay[0].hosts: matches everybody: an open relay",
    ],
    "lets in everybody by a negative item at its end": [
      relayRule('hosts = ["127.0.0.1", "!192.0.2.1"]'),
      "routers.toml:21: gate.relay[0].hosts: ends in a negative item and so matches everybody else: an open relay",
    ],
    "lets in a part of the Internet": [
      relayRule('hosts = ["10.0.0.0/8", "64.0.0.0/2"]'),
      'routers.toml:21: gate.relay[0].hosts[1]: "64.0.0.0/2" is too wide a net for a relay rule',
    ],
    "has no hosts": [
      relayRule("require_tls = true"),
      "routers.toml:19: gate.relay[0].hosts: is missing (list of hosts)",
    ],
    "asks for a proof that it does not describe": [
      relayRule('hosts = "+trusted"\nnull_sender = "proof"'),
      'routers.toml:22: gate.relay[0].null_sender: is "proof", and the rule has no proof',
    ],
    "describes an empty proof": [
      relayRule('hosts = "+trusted"\nproof = {}'),
      "routers.toml:22: gate.relay[0].proof.header: is missing: a proof needs a header, dkim or both",
    ],
    "has a proof that is no header": [
      relayRule('hosts = "+trusted"\nproof = { header = "s3cret" }'),
      'routers.toml:22: gate.relay[0].proof.header: must be a header like "X-Tenant: secret", not "s3cret"',
    ],
    "takes anybody's signature for a proof": [
      relayRule('hosts = "+trusted"\nproof = { dkim = ["!example.net", "*"] }'),
      "routers.toml:22: gate.relay[0].proof.dkim: matches every domain, so anybody's signature is a proof",
    ],
    "takes anybody's signature but one for a proof": [
      relayRule('hosts = "+trusted"\nproof = { dkim = "!example.net" }'),
      "routers.toml:22: gate.relay[0].proof.dkim: matches every domain, so anybody's signature is a proof",
    ],
    "believes everybody's PROXY header": [
      ["[[listeners]]", '[[listeners]]\nproxy_hosts = ["192.0.2.1", "0.0.0.0/0"]'],
      "routers.toml:4: listeners[0].proxy_hosts: matches everybody: an open relay",
    ],
    "is for everybody, because every domain is local": [
      ['local_domains = "+ours"', 'local_domains = ["example.com", "*"]'],
      "routers.toml:10: gate.local_domains: matches every domain: an open relay",
    ],
    "is for everybody, because every other domain is local": [
      ['local_domains = "+ours"', 'local_domains = "!+ours"'],
      "routers.toml:10: gate.local_domains: matches every domain: an open relay",
    ],
    "has a DNS block list that is none": [
      [
        'local_domains = "+ours"',
        'local_domains = "+ours"\ndnsbl = ["zen.spamhaus.org=127.0.0.9-2"]',
      ],
      'routers.toml:11: gate.dnsbl[0]: "zen.spamhaus.org=127.0.0.9-2": is not a block list; write "zen.spamhaus.org" or "zen.spamhaus.org=127.0.0.2-11"',
    ],
  },
  "a router": {
    "is not there": [
      [`[[routers]]\nname = "google"\ndriver = "accept"\n${LAST_ROUTER}`, ""],
      "routers.toml:1: routers: is missing: without [[routers]] no mail goes anywhere",
    ],
    "has a driver that does not exist": [
      ['driver = "accept"', 'driver = "acept"'],
      'routers.toml:13: routers[0].driver: there is no router driver "acept", did you mean "accept"?',
    ],
    "has no driver": [
      ['driver = "accept"\n', ""],
      "routers.toml:11: routers[0].driver: is missing (text)",
    ],
    "has an option of nobody": [
      [LAST_ROUTER, `${LAST_ROUTER}localparts = "bob"\n`],
      'routers.toml:16: routers[0].localparts: unknown option, did you mean "local_parts"?',
    ],
    "has no transport": [
      [LAST_ROUTER, 'domains = "+ours"\n'],
      "routers.toml:11: routers[0].transport: is missing (name of a transport)",
    ],
    "lacks what its driver needs": [
      [
        "[[routers]]",
        '[[routers]]\nname = "sent"\ndriver = "sender-match"\nsender_domains = "+ours"\ntransport = "gmail"\n[[routers]]',
      ],
      'routers.toml:11: routers[0].sender_local_parts: is missing: a router with driver "sender-match" needs it',
    ],
    "is unseen and the last": [
      [LAST_ROUTER, `${LAST_ROUTER}unseen = true\n`],
      "routers.toml:16: routers[0].unseen: is unseen and the last router: what it takes has nowhere to go on to, and is unrouteable",
    ],
    "is unseen by its driver and the last": [
      ['driver = "accept"', 'driver = "unseen-copy"'],
      "routers.toml:11: routers[0].unseen: is unseen and the last router: what it takes has nowhere to go on to, and is unrouteable",
    ],
  },
  "a transport": {
    "has a driver that does not exist": [
      ['driver = "smtp"', 'driver = "appendfile"'],
      'routers.toml:17: transports.gmail.driver: there is no transport driver "appendfile"; there are maildir-append, smtp, lmtp, discard',
    ],
    "has an option of a misspelt name": [
      ['hosts = "aspmx', 'hots = "aspmx'],
      'routers.toml:18: transports.gmail.hots: unknown option, did you mean "hosts"?',
    ],
    "is no table": [
      [
        '[transports.gmail]\ndriver = "smtp"\nhosts = "aspmx.l.google.com"\n',
        '[transports]\ngmail = "smtp"\n',
      ],
      "routers.toml:17: transports.gmail: must be a table",
    ],
  },
  "a retry rule": {
    "cannot be read": [
      '[[retry]]\nrules = "F,2h"\n',
      'routers.toml:20: retry[0].rules: "F,2h": must read like "F,2h,15m"',
    ],
    "is for two domains": [
      '[[retry]]\nmatch = "a.example, b.example"\nrules = "F,2h,15m"\n',
      'routers.toml:20: retry[0].match: must be one domain, address or host, not the text "a.example, b.example"',
    ],
    "is for what no address and no host is called": [
      '[[retry]]\nmatch = "+ours"\nrules = "F,2h,15m"\n',
      'routers.toml:20: retry[0].match: must be one domain, address or host, not the text "+ours"',
    ],
    "is for no error": [
      '[[retry]]\nerrors = []\nrules = "F,2h,15m"\n',
      "routers.toml:20: retry[0].errors: is empty: the rules would never apply",
    ],
    "is for an error that there is not": [
      '[[retry]]\nerrors = ["timeout", "rcpt_5xx"]\nrules = "F,2h,15m"\n',
      'routers.toml:20: retry[0].errors[1]: "rcpt_5xx": is not an error; write "timeout" or "rcpt_452"',
    ],
  },
  "a row for replies": {
    "is for no host": [
      '[[replies]]\nhosts = ["mx_1"]\nreply = "450"\n',
      'routers.toml:20: replies[0].hosts[0]: "mx_1": is not a host name',
    ],
    "has no reply in it": [
      '[[replies]]\nhosts = "mx.example.net"\nreply = "4.2.1"\n',
      'routers.toml:21: replies[0].reply: must be a reply like "450 4.2.1", not "4.2.1"',
    ],
    "has a reply that no host gives": [
      '[[replies]]\nhosts = "mx.example.net"\nreply = "550 4.2.1"\n',
      'routers.toml:21: replies[0].reply: must be a reply like "450 4.2.1", not "550 4.2.1"',
    ],
    "tries again what was refused for good": [
      '[[replies]]\nhosts = "mx.example.net"\nreply = "550"\nrules = "F,2h,15m"\n',
      "routers.toml:22: replies[0].rules: have no effect: mail is not tried again after a 5xx",
    ],
    "holds what cannot be held": [
      '[[replies]]\nhosts = "mx.example.net"\nreply = "450"\nhold = "host"\n',
      'routers.toml:22: replies[0].hold: must be "message" or "recipient", not the text "host"',
    ],
  },
  "a rate": {
    "has no time": [
      'rate = "60"\n',
      'routers.toml:19: transports.gmail.rate: must be a rate like "60/1m", not the text "60"',
    ],
  },
});
