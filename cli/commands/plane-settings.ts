import { advertisedAddress, type Logger } from "#runtime";
import { anyAddress, localAddressToward, storePlace } from "#runtime/node";
import { UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import type { gatewayOptions } from "../options/tables.ts";
import { tlsFiles } from "./access-settings.ts";
import type { WorkerCommandOptions } from "./worker-options.ts";

/** Where a process serves the request plane, and the address at which others reach it. */
export interface PlanePlace {
  readonly listen: string;
  readonly tls: ReturnType<typeof tlsFiles>;
  readonly nats: string | undefined;
  /** The address for discovery. @param bound the address that it listens on */
  advertised(bound: string): string;
}

interface PlaceOptions extends Pick<PlanePlace, "tls" | "nats"> {
  readonly listen: string | undefined;
  readonly advertise: string | undefined;
  readonly discovery: string | undefined;
}

const WILDCARDS = ["0.0.0.0", "::"];

/**
 * Where a worker serves the request plane, from the flags.
 * @throws UsageError for contradictory options
 */
export const workerPlace = (options: WorkerCommandOptions, log: Logger): Promise<PlanePlace> =>
  planePlace({ ...options, tls: tlsFiles(options), nats: natsUrl(options) }, "", log);

/**
 * Where a gateway serves the request plane for other gateways, from the flags; undefined if it does not.
 * @throws UsageError for contradictory options
 */
export async function peerPlace(options: PeerOptions, log: Logger): Promise<PlanePlace | undefined> {
  const { "peer-listen": listen, "peer-advertise": advertise, discovery } = options;
  if (listen === "none" || discovery === undefined) return undefined;
  const { tls, nats } = workerPlane(options);
  const own = tls.cert === undefined ? undefined : { cert: tls.cert, key: tls.key!, clientCa: tls.ca };
  return planePlace({ listen, advertise, discovery, nats, tls: own }, "peer-", log);
}

/**
 * By default, a process listens on the network of its remote store, or only on this machine if the store is local.
 * @param flags the prefix of its flags' names
 */
async function planePlace(options: PlaceOptions, flags: string, log: Logger): Promise<PlanePlace> {
  const { tls, nats, advertise, discovery } = options;
  const own = await ownAddress(discovery, flags, log);
  const given = options.listen ?? `tcp:${bracketed(own ?? "127.0.0.1")}:0`;
  const listen = tls === undefined ? given : encrypted(given, options.listen !== undefined, flags);
  if (/^(unix|nats):/.test(listen) && advertise !== undefined)
    throw new UsageError(`--${flags}advertise is for a TCP port; --${flags}listen has none.`);
  if (listen.startsWith("nats:") && nats === undefined)
    throw new UsageError(`--${flags}listen nats: needs a NATS server: --nats nats://HOST:PORT.`);
  return {
    listen,
    tls,
    nats,
    advertised(bound) {
      const host = advertise ?? (isWildcard(listen) ? bracketed(own ?? anyAddress()) : undefined);
      try {
        return host === undefined ? bound : advertisedAddress(bound, host);
      } catch (error) {
        throw new UsageError(`--${flags}advertise: ${error instanceof Error ? error.message : error}`);
      }
    },
  };
}

type PeerOptions = PlaneOptions & Pick<OptionValues<typeof gatewayOptions>, "peer-listen" | "peer-advertise">;

type PlaneOptions = Pick<
  OptionValues<typeof gatewayOptions>,
  "worker-ca" | "worker-tls-cert" | "worker-tls-key" | "worker-tls-name" | "nats" | "discovery"
>;

/**
 * How a gateway reaches workers, from the flags.
 * @throws UsageError for a certificate without its key or vice versa
 */
export function workerPlane(options: PlaneOptions) {
  const { "worker-tls-cert": cert, "worker-tls-key": key } = options;
  if ((cert === undefined) !== (key === undefined))
    throw new UsageError("--worker-tls-cert and --worker-tls-key must be given together.");
  const tls = { ca: options["worker-ca"], cert, key, serverName: options["worker-tls-name"] };
  return { tls, nats: natsUrl(options) };
}

/** The NATS servers of the request plane: by default those of discovery. */
function natsUrl({ nats, discovery }: Pick<PlaneOptions, "nats" | "discovery">): string | undefined {
  return nats ?? (discovery?.startsWith("nats:") ? discovery : undefined);
}

async function ownAddress(
  discovery: string | undefined,
  flags: string,
  log: Logger,
): Promise<string | undefined> {
  const place = discovery === undefined ? undefined : storePlace(discovery);
  if (place === undefined) return undefined;
  try {
    return await localAddressToward(place.host, place.port);
  } catch (error) {
    log.warn(`cannot determine the address at which other machines reach this one; set --${flags}advertise`, {
      reason: error instanceof Error ? error.message : String(error),
    });
    return undefined;
  }
}

const isWildcard = (listen: string) => WILDCARDS.some((host) => listen.includes(`:${bracketed(host)}:`));

const bracketed = (host: string) => (host.includes(":") ? `[${host}]` : host);

function encrypted(listen: string, isGiven: boolean, flags: string): string {
  if (/^(tcp|tls):/.test(listen)) return listen.replace(/^tcp:/, "tls:");
  // A gateway's certificate is also for its connections to workers, so it may listen without TLS.
  if (!isGiven || flags !== "") return listen;
  throw new UsageError("--tls-cert is for workers that listen on a TCP port: --listen tcp:HOST:PORT.");
}
