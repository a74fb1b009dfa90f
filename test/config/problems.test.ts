// What a wrong configuration is told: each line as `relayctl check` prints it.

import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { describe, test } from "node:test";
import { loadConfiguration } from "../../src/config/load.ts";
import { CERTIFICATE, directory, PRIVATE_KEY, problemsOf, RIGHT, write } from "./configuration.ts";
import { changed, LAST_ROUTER, relayRule, testCases } from "./wrong.ts";
import { builtIn } from "../../src/built-in.ts";

testCases({
  "the text": {
    "is no TOML": [
      "x = \n",
      "routers.toml:19: syntax: the end of the line in column 5 where a value should be; a text stands in quotes",
    ],
    "has a key twice": [
      ['driver = "accept"', 'driver = "accept"\ndriver = "accept"'],
      "routers.toml:14: routers.driver: stands here twice",
    ],
    "has one of several tables as one": [
      ['driver = "smtp"', 'driver = "smtp"\n[gate.relay]\n[[gate.relay]]'],
      "routers.toml:19: gate.relay: stands here twice; it must be [[gate.relay]] each time",
    ],
    "has a list without its end": [
      ['["example.com"]', '["example.com"'],
      'routers.toml:7: syntax: "[" in column 1 is not expected; is a comma, or the end of the list, missing before it?',
    ],
    "has a list without a comma": [
      ['["example.com"]', '["example.com" "example.net"]'],
      "routers.toml:6: syntax: a quote in column 23 is not expected; is a comma, or the end of the list, missing before it?",
    ],
    "has a text without its end": [
      ['"mx.example.com"', '"mx.example.com'],
      "routers.toml:2: syntax: the end of the line in column 27 is not expected; is a quote missing before it?",
    ],
    "has a colon for an equals sign": [
      ['hostname = "mx', 'hostname : "mx'],
      'routers.toml:2: syntax: ":" in column 10 is not expected; is a "=" missing before it?',
    ],
    "has a transport twice": [
      "[transports.gmail]\n",
      "routers.toml:19: transports.gmail: stands here twice",
    ],
  },
  "a section": {
    "is misspelt": [
      "[bonce]\nwarn_after = []",
      'routers.toml:19: bonce: unknown option, did you mean "bounce"?',
    ],
    "is missing": [
      ['[relay]\nhostname = "mx.example.com"\n', ""],
      "routers.toml:1: relay: is missing: there must be a [relay]",
    ],
    "is missing that has several tables": [
      ['[[listeners]]\naddress = "127.0.0.1:2525"\n', ""],
      "routers.toml:1: listeners: is missing: there must be a [[listeners]]",
    ],
    "is a list instead of a table": [
      ['[relay]\nhostname = "mx.example.com"\n', "relay = []\n"],
      "routers.toml:1: relay: must be a table, not a list",
    ],
    "is one table instead of several": [
      ["[[listeners]]", "[listeners]"],
      "routers.toml:3: listeners: must be written as [[listeners]]",
    ],
    "has no table": [
      [
        '[relay]\nhostname = "mx.example.com"\n[[listeners]]\naddress = "127.0.0.1:2525"\n',
        'listeners = []\n[relay]\nhostname = "mx.example.com"\n',
      ],
      "routers.toml:1: listeners: must not be empty: there must be a [[listeners]]",
    ],
  },
  "an option": {
    "is misspelt": [
      ["hostname", "hostnmae"],
      "routers.toml:1: relay.hostname: is missing (host name)",
      'routers.toml:2: relay.hostnmae: unknown option, did you mean "hostname"?',
    ],
    "is not in this version": [
      ["[[listeners]]", 'metrics = "127.0.0.1:9125"\n[[listeners]]'],
      "routers.toml:3: relay.metrics: unknown option",
    ],
    "has the wrong type": [
      ["[[listeners]]", 'message_size_limit = 50\nreceived_headers_max = "30"\n[[listeners]]'],
      'routers.toml:3: relay.message_size_limit: must be a size like "64K" or "50M", not 50',
      'routers.toml:4: relay.received_headers_max: must be a whole number, 1 or more, not the text "30"',
    ],
    "is below the limit that the RFC sets": [
      ["[[listeners]]", "recipients_max = 99\n[[listeners]]"],
      "routers.toml:3: relay.recipients_max: must be a whole number, 100 or more, not 99",
    ],
    "is a list with a wrong item": [
      ['["127.0.0.1"]', '[\n  "127.0.0.1",\n  "127.0.0.300",\n]'],
      'routers.toml:10: hosts.trusted[1]: "127.0.0.300": must be an address, a CIDR like "192.0.2.0/24", "spf:DOMAIN" or "+name"',
    ],
  },
  "our own name": {
    "is an address": [
      ["mx.example.com", "192.0.2.1"],
      'routers.toml:2: relay.hostname: must be a host name like "mx.example.com", not the text "192.0.2.1"',
    ],
    "has no domain": [
      ["mx.example.com", "mx"],
      'routers.toml:2: relay.hostname: must be a host name like "mx.example.com", not the text "mx"',
    ],
  },
  "a listener": {
    "has no port": [
      ["127.0.0.1:2525", "127.0.0.1"],
      'routers.toml:4: listeners[0].address: must be an address with a port, like "0.0.0.0:25" or "[::]:25", not the text "127.0.0.1"',
    ],
    "is there twice": [
      '[[listeners]]\naddress = "127.0.0.1:2525"\n',
      'routers.toml:20: listeners[1].address: is the same as listeners[0].address: "127.0.0.1:2525"',
    ],
    "is within another that takes every address": [
      [
        "[domains]",
        '[[listeners]]\naddress = "[::]:2525"\n[[listeners]]\naddress = "[::1]:25"\n[domains]',
      ],
      'routers.toml:4: listeners[0].address: is within listeners[1].address: "[::]:2525" is every address of the machine, IPv4 and IPv6',
    ],
    "has TLS and no certificate": [
      ["[domains]", 'tls = "starttls"\n[domains]'],
      'routers.toml:3: listeners[0].certificate: is missing (path): tls is "starttls"',
      'routers.toml:3: listeners[0].private_key: is missing (path): tls is "starttls"',
    ],
    "has a certificate that is not there": [
      [
        "[domains]",
        `tls = "implicit"\ncertificate = "no.pem"\nprivate_key = "${PRIVATE_KEY}"\n[domains]`,
      ],
      "routers.toml:6: listeners[0].certificate: cannot read no.pem: there is no such file",
    ],
    "has a key that is a directory": [
      [
        "[domains]",
        `tls = "implicit"\ncertificate = "${CERTIFICATE}"\nprivate_key = "."\n[domains]`,
      ],
      `routers.toml:7: listeners[0].private_key: cannot read ${directory}: it is a directory`,
    ],
  },
  "a name": {
    "of a domain list does not exist": [
      ['local_domains = "+ours"', 'local_domains = ["!+our", "+ours"]'],
      'routers.toml:10: gate.local_domains[0]: there is no "our" in [domains], did you mean "ours"?',
    ],
    "of a host list does not exist": [
      relayRule('hosts = ["192.0.2.1", "+trustees"]'),
      'routers.toml:21: gate.relay[0].hosts[1]: there is no "trustees" in [hosts], did you mean "trusted"?',
    ],
    "of a domain list is not one of a host list": [
      relayRule('hosts = "+ours"'),
      'routers.toml:21: gate.relay[0].hosts: there is no "ours" in [hosts]',
    ],
    "of a list is one that every object has": [
      relayRule('hosts = ["+constructor", "+__proto__"]'),
      'routers.toml:21: gate.relay[0].hosts[0]: there is no "constructor" in [hosts]',
      'routers.toml:21: gate.relay[0].hosts[1]: there is no "__proto__" in [hosts]',
    ],
    "of a transport does not exist": [
      ['transport = "gmail"', 'transport = "gmial"'],
      'routers.toml:15: routers[0].transport: there is no transport "gmial", did you mean "gmail"?',
    ],
    "leads back to itself": [
      ['trusted = ["127.0.0.1"]', 'a = "+b"\nb = ["!+c"]\nc = "+b"\nd = "+d"'],
      "routers.toml:9: hosts.b: leads back to itself: +b → +c → +b",
      "routers.toml:11: hosts.d: leads back to itself: +d → +d",
    ],
    "is given to two routers": [
      [
        "[[routers]]",
        '[[routers]]\nname = "google"\ndriver = "accept"\ntransport = "gmail"\n[[routers]]',
      ],
      'routers.toml:16: routers[1].name: is the same as routers[0].name: "google"',
    ],
    "has characters that are not for names": [
      ['name = "google"', 'name = "to google"'],
      'routers.toml:12: routers[0].name: must be a name of letters, digits, "_" and "-", not "to google"',
    ],
    "of a list has characters that are not for names": [
      ["[domains]", '[domains]\n"my own" = []'],
      'routers.toml:6: domains.my own: must be a name of letters, digits, "_" and "-"',
    ],
  },
  "an item of a list": {
    "is the name of a list without its plus": [
      ['local_domains = "+ours"', 'local_domains = "ours"'],
      'routers.toml:10: gate.local_domains: "ours" is a domain; the list is "+ours"',
    ],
    "is written in Exim's way": [
      [
        LAST_ROUTER,
        `${LAST_ROUTER}local_parts = ["lsearch;a", "/etc/a", "^a", "*-a", "a : b"]\nsender_domains = ["a.b : c.d", ".b.c", "*b.c"]\n`,
      ],
      'routers.toml:16: routers[0].local_parts[0]: "lsearch;a": must be written as "lsearch:a"',
      'routers.toml:16: routers[0].local_parts[1]: "/etc/a": is a file; names in a file are "lsearch:/etc/a"',
      'routers.toml:16: routers[0].local_parts[2]: "^a": is a regular expression, and there are none here',
      'routers.toml:16: routers[0].local_parts[3]: "*-a": has a "*" that is neither alone nor in front of a ".domain"',
      'routers.toml:16: routers[0].local_parts[4]: "a : b": is not one item; several are written ["one", "two"]',
      'routers.toml:17: routers[0].sender_domains[0]: "a.b : c.d": is not one item; several are written ["one", "two"]',
      'routers.toml:17: routers[0].sender_domains[1]: ".b.c": begins with a dot; subdomains are "*.b.c"',
      'routers.toml:17: routers[0].sender_domains[2]: "*b.c": has a "*" that is neither alone nor in front of a ".domain"',
    ],
    "is a lookup that does not exist, or not for such a list": [
      [
        LAST_ROUTER,
        `${LAST_ROUTER}local_parts = ["mysql:a", "!spf:a.test"]\nsender_domains = ["lsearch:"]\n`,
      ],
      'routers.toml:16: routers[0].local_parts[0]: "mysql:a": is not a lookup for such a list; write "lsearch:FILE"',
      'routers.toml:16: routers[0].local_parts[1]: "!spf:a.test": is not a lookup for such a list; write "lsearch:FILE"',
      'routers.toml:17: routers[0].sender_domains[0]: "lsearch:": names no file',
    ],
    "of hosts is a lookup that does not exist, or has no domain": [
      relayRule('hosts = ["lsearch:a", "spf:no domain", "!spf:[::1]", "192.0.2.1"]'),
      'routers.toml:21: gate.relay[0].hosts[0]: "lsearch:a": is not a lookup for such a list; write "spf:DOMAIN"',
      'routers.toml:21: gate.relay[0].hosts[1]: "spf:no domain": wants a domain after "spf:"',
      'routers.toml:21: gate.relay[0].hosts[2]: "!spf:[::1]": wants a domain after "spf:"',
    ],
    "of a route_list is a lookup that does not exist": [
      ['driver = "accept"', 'driver = "manualroute"\nroute_list = ["mysql:a  mx.example.net"]'],
      'routers.toml:14: routers[0].route_list[0]: "mysql:a": is not a lookup for such a list; write "lsearch:FILE"',
    ],
    "has white space where none belongs": [
      [LAST_ROUTER, `${LAST_ROUTER}local_parts = ["lsearch: a", "! bob"]\n`],
      'routers.toml:16: routers[0].local_parts[1]: "! bob": has white space around it',
      'routers.toml:16: routers[0].local_parts[0]: "lsearch: a": has white space around the name of the file',
    ],
  },
});

test("a certificate and a key that do not belong together are a problem", async () => {
  write("other.pem", "-----BEGIN PRIVATE KEY-----\nMIG=\n-----END PRIVATE KEY-----\n");
  const listener = `tls = "starttls"\ncertificate = "${CERTIFICATE}"\nprivate_key = "other.pem"`;
  const [line = "", ...more] = await problemsOf(changed(["[domains]", `${listener}\n[domains]`]));
  assert.match(
    line,
    /^routers\.toml:6: listeners\[0\]\.certificate: does not work with this private_key: [^\n]+$/,
  );
  assert.deepEqual(more, []);
});

test("bytes that are not UTF-8 are a problem of their line", async () => {
  const bytes = Buffer.concat([Buffer.from(RIGHT), Buffer.from("# caf\xe9\n", "latin1")]);
  assert.deepEqual(await problemsOf(bytes), ["routers.toml:19: not UTF-8 text"]);
});

test("an empty file misses every section that must be there", async () => {
  assert.deepEqual(await problemsOf(""), [
    "routers.toml:1: relay: is missing: there must be a [relay]",
    "routers.toml:1: listeners: is missing: there must be a [[listeners]]",
    "routers.toml:1: gate: is missing: there must be a [gate]",
    "routers.toml:1: routers: is missing: without [[routers]] no mail goes anywhere",
  ]);
});

test("all problems of all sections are reported at once, by line", async () => {
  const text = `[relay]
hostname = "mx"
[[listeners]]
address = "25"
[gate]
local_domains = "+ours"
[[gate.relay]]
hosts = ["0.0.0.0/0", "nonsense"]
sender_domain = "*"
[[routers]]
driver = "acept"
domain = "x"
[[routers]]
name = "world"
driver = "dnslookup"
transport = "smpt"
[transports.smtp]
driver = "smtp"
tls = "always"
[[retry]]
rules = "X"
[bounce]
warn_after = "soon"
`;
  const at = (await problemsOf(text)).map((line) => line.split(": ", 2).join(": "));
  assert.deepEqual(at, [
    "routers.toml:2: relay.hostname",
    "routers.toml:4: listeners[0].address",
    "routers.toml:6: gate.local_domains",
    "routers.toml:7: gate.relay[0].sender_domains",
    "routers.toml:8: gate.relay[0].hosts[1]",
    "routers.toml:8: gate.relay[0].hosts",
    "routers.toml:9: gate.relay[0].sender_domain",
    "routers.toml:10: routers[0].name",
    "routers.toml:11: routers[0].driver",
    "routers.toml:16: routers[1].transport",
    "routers.toml:19: transports.smtp.tls",
    "routers.toml:21: retry[0].rules",
    "routers.toml:23: bounce.warn_after",
  ]);
});

describe("a file that cannot be read", () => {
  test("is no list of problems but one line", async () => {
    const missing = `${directory}/missing.toml`;
    const unreadable = `cannot read ${missing}: there is no such file`;
    assert.deepEqual(await loadConfiguration(missing, builtIn), { unreadable });
  });

  test("because it is a directory says so", async () => {
    const unreadable = `cannot read ${directory}: it is a directory`;
    assert.deepEqual(await loadConfiguration(directory, builtIn), { unreadable });
  });

  test("because of its permissions says so", { skip: process.getuid?.() === 0 }, async () => {
    const file = write("secret.toml", RIGHT);
    chmodSync(file, 0o000);
    const unreadable = `cannot read ${file}: permission denied`;
    assert.deepEqual(await loadConfiguration(file, builtIn), { unreadable });
  });
});
