// The part for MTA-STS: policies of other domains for mail to them (RFC 8461), for transports.

import { part } from "../part.ts";
import { mtaStsEvents } from "./events.ts";
import { MtaSts } from "./mta-sts.ts";

export const mtaSts = part({
  name: "mta-sts",
  events: mtaStsEvents,
  start: (means) => ({
    offer(outside, { tlsSessions }) {
      const policies = new MtaSts({ ...means, ...outside, ...(tlsSessions && { tlsSessions }) });
      return { services: { mtaSts: policies }, close: () => policies.close() };
    },
  }),
});
