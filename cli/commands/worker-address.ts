import type { ListeningOptions } from "#gateway";
import { advertisedAddress, type Logger } from "#runtime";
import { anyAddress, localAddressToward, storePlace } from "#runtime/node";
import { UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import type { gatewayOptions } from "../options/tables.ts";
import { tlsFiles } from "./access-settings.ts";
import type { WorkerCommandOptions } from "./worker-options.ts";

type Options = Pick<
  WorkerCommandOptions,
  "listen" | "advertise" | "discovery" | "nats" | "tls-cert" | "tls-key" | "tls-client-ca"
>;

/** Where a worker serves the request plane, and where gateways reach it. */
export interface WorkerAddress {
  readonly listen: string;
  readonly tls: ReturnType<typeof tlsFiles>;
  readonly nats: string | undefined;
  /** The address for discovery. @param bound the address that is listened on */
  advertised(bound: string): string;
}

const WILDCARDS = ["0.0.0.0", "::"];

/**
 * The worker's address, from the flags. By default, a worker listens where it reaches its discovery: on the network of a
 * remote store, else on this machine only.
 * @throws UsageError for options that contradict each other
 */
export async function workerAddress(options: Options, log: Logger): Promise<WorkerAddress> {
  const tls = tlsFiles(options);
  const nats = natsUrl(options);
  const own = await ownAddress(options.discovery, log);
  const given = options.listen ?? `tcp:${bracketed(own ?? "127.0.0.1")}:0`;
  const listen = tls === undefined ? given : encrypted(given);
  if (/^(unix|nats):/.test(listen) && options.advertise !== undefined)
    throw new UsageError("--advertise is for workers that listen on a TCP port.");
  if (listen.startsWith("nats:") && nats === undefined)
    throw new UsageError("--listen nats: needs a NATS server: --nats nats://HOST:PORT.");
  return {
    listen,
    tls,
    nats,
    advertised(bound) {
      const host = options.advertise ?? (isWildcard(listen) ? bracketed(own ?? anyAddress()) : undefined);
      try {
        return host === undefined ? bound : advertisedAddress(bound, host);
      } catch (error) {
        throw new UsageError(`--advertise: ${error instanceof Error ? error.message : error}`);
      }
    },
  };
}

type PlaneOptions = Pick<
  OptionValues<typeof gatewayOptions>,
  "worker-ca" | "worker-tls-cert" | "worker-tls-key" | "worker-tls-name" | "nats" | "discovery"
>;

/**
 * How a gateway reaches workers, from the flags.
 * @throws UsageError for a certificate without its key, or the other way round
 */
export function workerPlane(options: PlaneOptions): NonNullable<ListeningOptions["workerPlane"]> {
  const { "worker-tls-cert": cert, "worker-tls-key": key } = options;
  if ((cert === undefined) !== (key === undefined))
    throw new UsageError("--worker-tls-cert and --worker-tls-key go together: give both.");
  const tls = { ca: options["worker-ca"], cert, key, serverName: options["worker-tls-name"] };
  return { tls, nats: natsUrl(options) };
}

/** The NATS servers of the request plane: by default those of the discovery. */
function natsUrl({ nats, discovery }: Pick<Options, "nats" | "discovery">): string | undefined {
  return nats ?? (discovery?.startsWith("nats:") ? discovery : undefined);
}

async function ownAddress(discovery: string | undefined, log: Logger): Promise<string | undefined> {
  const place = discovery === undefined ? undefined : storePlace(discovery);
  if (place === undefined) return undefined;
  try {
    return await localAddressToward(place.host, place.port);
  } catch (error) {
    log.warn("cannot find out by which address other machines reach this one; set --advertise", {
      reason: error instanceof Error ? error.message : String(error),
    });
    return undefined;
  }
}

const isWildcard = (listen: string) => WILDCARDS.some((host) => listen.includes(`:${bracketed(host)}:`));

const bracketed = (host: string) => (host.includes(":") ? `[${host}]` : host);

function encrypted(listen: string): string {
  if (/^(tcp|tls):/.test(listen)) return listen.replace(/^tcp:/, "tls:");
  throw new UsageError("--tls-cert is for workers that listen on a TCP port: --listen tcp:HOST:PORT.");
}
