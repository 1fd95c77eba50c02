import { type ClientTls, PlaneError } from "#runtime";
import {
  findsGateways,
  natsServers,
  openPlanePlace,
  type PlanePlace,
  type PlanePlaceOptions,
  readClientTls,
} from "#runtime/node";
import { UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import type { gatewayOptions } from "../options/tables.ts";
import { tlsFiles } from "./access-settings.ts";
import type { WorkerCommandOptions } from "./worker-options.ts";

/**
 * Where a worker serves the request plane, from the flags.
 * @throws UsageError for a malformed address, and for options that contradict each other
 */
export const workerPlace = (options: WorkerCommandOptions): Promise<PlanePlace> =>
  openPlace({ ...options, tls: tlsFiles(options) }, "");

type PeerOptions = Pick<
  OptionValues<typeof gatewayOptions>,
  "peer-listen" | "peer-advertise" | "nats" | "discovery"
>;

/**
 * Where a gateway serves the request plane for other gateways, from the flags; undefined if it does not.
 * @param identity as it identifies itself to workers
 * @throws UsageError for a malformed address, and for options that contradict each other
 */
export async function peerPlace(options: PeerOptions, identity: ClientTls): Promise<PlanePlace | undefined> {
  const { "peer-listen": listen, "peer-advertise": advertise, discovery, nats } = options;
  if (listen === "none" || discovery === undefined) return undefined;
  if (!findsGateways(discovery)) {
    if (listen === undefined && advertise === undefined) return undefined;
    throw new UsageError(
      "--discovery kubernetes: finds other gateways only by their service: add gateways=SERVICE to its URL, or omit --peer-listen and --peer-advertise.",
    );
  }
  const { cert, key, ca: clientCa } = identity;
  const isTcp = listen === undefined || /^(tcp|tls):/.test(listen);
  // A gateway identifies itself by the same certificate to workers and to other gateways.
  const tls = isTcp && cert !== undefined && key !== undefined ? { cert, key, clientCa } : undefined;
  return openPlace({ listen, advertise, discovery, nats, tls }, "peer-");
}

/** @param prefix what the names of the flags begin with */
function openPlace(options: PlanePlaceOptions, prefix: string): Promise<PlanePlace> {
  const names = { listen: `--${prefix}listen`, advertise: `--${prefix}advertise` };
  return openPlanePlace(options, names).catch((error: unknown) => {
    throw error instanceof PlaneError ? new UsageError(error.message) : error;
  });
}

type PlaneOptions = Pick<
  OptionValues<typeof gatewayOptions>,
  "worker-ca" | "worker-tls-cert" | "worker-tls-key" | "worker-tls-name" | "nats" | "discovery"
>;

/**
 * How a gateway reaches workers, from the flags.
 * @throws UsageError for a certificate without its key, or the other way round, and for files that cannot be used
 */
export async function workerPlane(options: PlaneOptions) {
  const { "worker-tls-cert": cert, "worker-tls-key": key } = options;
  if ((cert === undefined) !== (key === undefined))
    throw new UsageError("--worker-tls-cert and --worker-tls-key go together: give both.");
  const tls = { ca: options["worker-ca"], cert, key, serverName: options["worker-tls-name"] };
  await readClientTls(tls).catch((error: unknown) => {
    throw error instanceof PlaneError ? new UsageError(error.message) : error;
  });
  return { tls, nats: natsServers(options.nats, options.discovery) };
}
