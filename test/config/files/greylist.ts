// A router driver of a third party, as small as one can be.

import {
  duration,
  options,
  type RouterDriver,
  transportName,
  type Values,
  withDefault,
} from "unseen/driver";

const greylistOptions = options({
  transport: transportName("Delivers what has waited long enough."),
  wait: withDefault(duration("How long a stranger waits."), "5m"),
});

const greylist: RouterDriver<Values<typeof greylistOptions>> = {
  name: "greylist",
  options: greylistOptions,
  create: ({ transport }) => ({ route: () => ({ kind: "accept", transport }) }),
};

export default greylist;
