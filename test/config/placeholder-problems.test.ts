// Lines that `relayctl check` prints for `{domain}` in a list that gives it no value.

import { LAST_ROUTER, testCases } from "./wrong.ts";

const ITEM = '"lsearch:accounts/{domain}"';

testCases({
  "{domain} in a list": {
    "of local parts, beside a list of domains": [
      [LAST_ROUTER, `${LAST_ROUTER}local_parts = ["!bob", ${ITEM}]\nmore = 1\n`],
      "routers.toml:17: routers[0].more: must be true or false, not 1",
    ],
    "without a list of domains": [
      [LAST_ROUTER, `transport = "gmail"\nlocal_parts = ${ITEM}\n`],
      `routers.toml:15: routers[0].local_parts: ${ITEM}: {domain} needs the option domains, which gives its value`,
    ],
    "beside the other list of domains": [
      [LAST_ROUTER, `${LAST_ROUTER}sender_local_parts = ["!lsearch:accounts/{domain}"]\n`],
      'routers.toml:16: routers[0].sender_local_parts[0]: "!lsearch:accounts/{domain}": {domain} needs the option sender_domains, which gives its value',
    ],
    "beside a list that matches everything": [
      [LAST_ROUTER, `transport = "gmail"\ndomains = ["+ours", "*"]\nlocal_parts = ${ITEM}\n`],
      `routers.toml:16: routers[0].local_parts: ${ITEM}: {domain} needs names in domains, which matches every domain`,
    ],
    "beside a list that matches all but a few": [
      [LAST_ROUTER, `transport = "gmail"\ndomains = "!+ours"\nlocal_parts = ${ITEM}\n`],
      `routers.toml:16: routers[0].local_parts: ${ITEM}: {domain} needs names in domains, which matches every domain`,
    ],
    "of a relay rule without names": [
      `[[gate.relay]]\nhosts = "127.0.0.1"\nsender_domains = "*"\nsender_local_parts = ${ITEM}\n`,
      `routers.toml:22: gate.relay[0].sender_local_parts: ${ITEM}: {domain} needs names in sender_domains, which matches every domain`,
    ],
    "of domains": [
      ['"+ours"\n[[routers]]', `${ITEM}\n[[routers]]`],
      `routers.toml:10: gate.local_domains: ${ITEM}: {domain} has a meaning only in a list of local parts`,
    ],
  },
});
