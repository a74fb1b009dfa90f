// The parts of a running relay that write mail of their own, with the outbox that they write to.

import type { Configuration } from "../config/configuration.ts";
import type { Outbox } from "../outbox/outbox.ts";
import {
  PostmasterList,
  type PostmasterListServices,
} from "../parts/postmaster-list/postmaster-list.ts";
import type { TlsReports, TlsReportServices } from "../parts/tls-reports/tls-reports.ts";
import { FrozenMail, type FrozenMailServices } from "../settle/frozen-mail.ts";

export interface OwnMail {
  readonly outbox: Outbox;
  readonly tlsReports: TlsReports;
  readonly postmasterList: PostmasterList;
  readonly frozenMail: FrozenMail;
}

type Services = PostmasterListServices &
  FrozenMailServices &
  Pick<OwnMail, "outbox" | "tlsReports">;

export async function openOwnMail(
  configuration: Configuration,
  chain: TlsReportServices,
  services: Services,
): Promise<OwnMail> {
  const { outbox, tlsReports } = services;
  await tlsReports.start(configuration, chain, outbox);
  return {
    outbox,
    tlsReports,
    postmasterList: new PostmasterList(configuration, services),
    frozenMail: new FrozenMail(configuration.bounce.frozen_after, services),
  };
}

export function startOwnMail({ postmasterList, frozenMail }: OwnMail): void {
  postmasterList.start();
  frozenMail.start();
}

/** From now on by this configuration. */
export function followOwnMail(
  { outbox, tlsReports, postmasterList, frozenMail }: OwnMail,
  configuration: Configuration,
  services: TlsReportServices,
): void {
  outbox.follow(configuration.relay);
  tlsReports.follow(configuration, services);
  postmasterList.follow(configuration);
  frozenMail.follow(configuration.bounce);
}

export async function closeOwnMail(own: OwnMail): Promise<void> {
  const { tlsReports, postmasterList, frozenMail } = own;
  await Promise.all([tlsReports.close(), postmasterList.close(), frozenMail.close()]);
}
