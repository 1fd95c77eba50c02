import { DEFAULT_WORKER_PORT, isKubernetes } from "./discovery/kubernetes/place.ts";
import { storePlace } from "./discovery/open.ts";
import { anyAddress, localAddressToward } from "./local-address.ts";
import { messageOf } from "./message-of.ts";
import { advertisedAddress, parseAddress } from "./request-plane/address.ts";
import { PlaneError, type ServerTls } from "./request-plane/types.ts";

export interface PlanePlaceOptions {
  /**
   * The address to listen on. Default: a free port, on the network of a remote discovery, else on loopback; port 7000 of
   * every address with `kubernetes:`.
   */
  readonly listen?: string | undefined;
  /** The address by which others reach that port, as `host[:port]`. Default: as it is, or this machine's for a wildcard. */
  readonly advertise?: string | undefined;
  /** URL of the discovery. */
  readonly discovery?: string | undefined;
  /** Encrypts a TCP port. */
  readonly tls?: ServerTls | undefined;
  /** NATS servers for `nats:`; default: those of a discovery in NATS. */
  readonly nats?: string | undefined;
}

/** Where a process serves the request plane, and where others reach it. */
export interface PlanePlace {
  readonly listen: string;
  readonly tls: ServerTls | undefined;
  readonly nats: string | undefined;
  /** The address for discovery. @param bound the address that is listened on */
  advertised(bound: string): string;
}

/** Names of the options, for messages. */
export interface PlaceNames {
  readonly listen: string;
  readonly advertise: string;
}

const WILDCARDS = ["0.0.0.0", "[::]"];
const NAMES: PlaceNames = { listen: "listen", advertise: "advertise" };

/**
 * Where a process serves the request plane.
 * @throws PlaneError `invalid_request` for a malformed address, and for options that contradict each other
 */
export async function openPlanePlace(
  { listen: given, advertise, discovery, tls, nats: givenNats }: PlanePlaceOptions,
  names = NAMES,
): Promise<PlanePlace> {
  const nats = natsServers(givenNats, discovery);
  const own = await ownAddress(discovery);
  const ofPod = isKubernetes(discovery) ? `tcp:0.0.0.0:${DEFAULT_WORKER_PORT}` : undefined;
  const plain = given ?? ofPod ?? `tcp:${bracketed(own ?? "127.0.0.1")}:0`;
  const isTcp = /^(tcp|tls):/.test(plain);
  const listen = tls !== undefined && isTcp ? plain.replace(/^tcp:/, "tls:") : plain;
  check(names.listen, () => parseAddress(listen));
  const isLocal = /^(unix|nats|memory):/.test(listen);
  if (isLocal && isKubernetes(discovery))
    throw wrong(`With kubernetes:, gateways ask a TCP port of the pod: ${names.listen} tcp:HOST:PORT.`);
  if (isLocal && tls !== undefined)
    throw wrong(`A certificate is for a TCP port: ${names.listen} tcp:HOST:PORT.`);
  if (isLocal && advertise !== undefined)
    throw wrong(`${names.advertise} is for a TCP port: ${names.listen} ${listen} has none.`);
  if (listen.startsWith("nats:") && nats === undefined)
    throw wrong(`${names.listen} nats: needs a NATS server: give its URL, nats://HOST:PORT.`);
  if (advertise !== undefined) check(names.advertise, () => advertisedAddress(listen, advertise));
  const isWildcard = WILDCARDS.some((host) => listen.includes(`:${host}:`));
  const host = advertise ?? (isWildcard ? bracketed(own ?? anyAddress()) : undefined);
  return {
    listen,
    tls,
    nats,
    advertised: (bound) => (host === undefined ? bound : advertisedAddress(bound, host)),
  };
}

/** The NATS servers of the request plane: by default those of the discovery. */
export const natsServers = (nats: string | undefined, discovery: string | undefined): string | undefined =>
  nats ?? (discovery?.startsWith("nats:") === true ? discovery : undefined);

/** The address by which a remote store is reached; undefined without one, or if there is no way to it. */
async function ownAddress(discovery: string | undefined): Promise<string | undefined> {
  const place = discovery === undefined ? undefined : storePlace(discovery);
  if (place === undefined) return undefined;
  return localAddressToward(place.host, place.port).catch(() => undefined);
}

const bracketed = (host: string) => (host.includes(":") ? `[${host}]` : host);

/** Runs the check of an option's value, whose error then names the option. */
function check(option: string, run: () => unknown): void {
  try {
    run();
  } catch (error) {
    throw wrong(`${option}: ${messageOf(error)}`);
  }
}

const wrong = (message: string) => new PlaneError("invalid_request", message);
