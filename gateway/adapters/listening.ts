import type { ConnectOptions, ServeOptions } from "#runtime";
import { AccessError } from "../access/parse-keys.ts";
import type { GatewayOptions } from "../compose/create-gateway.ts";
import type { Models } from "../models/models.ts";
import type { AttachedEngines } from "../models/sources/attached-engines.ts";
import type { RouterChannel } from "../remote/messages.ts";

/** Options of a gateway that listens on a port. */
export interface ListeningOptions extends GatewayOptions {
  host: string;
  /** 0 picks a free port. */
  port: number;
  /** The compiled router core. */
  routerModule: WebAssembly.Module;
  /** Where the admin and operations routes are served; default: on the API's port. */
  admin?: AdminPlace | undefined;
  /** Certificate of the server; default: no encryption. */
  tls?: ServerTlsFiles | undefined;
  /** Certificates for engines at `https:` addresses; default: the system's. */
  engineTls?: EngineTlsFiles | undefined;
  /** How workers are reached at `tls:` and `nats:` addresses. */
  workerPlane?: WorkerPlane | undefined;
  /** Where this gateway listens for others in front of the same workers; default: nowhere. */
  peerPlane?: PeerPlane | undefined;
  serverLimits?: ServerLimits;
  /** Whether acceptor processes serve the port, and this process only routes for them. */
  hasAcceptors?: boolean;
}

export interface PeerPlane extends Pick<ServeOptions, "tls" | "nats"> {
  readonly listen: string;
  /** The address for discovery. @param bound the address that it listens on */
  advertised(bound: string): string;
}

export type WorkerPlane = Pick<ConnectOptions, "tls" | "nats">;

export interface AdminPlace {
  /** Undefined disables these routes. */
  readonly port: number | undefined;
  readonly host: string;
  /** Whether the port is protected like the API: by keys and TLS, if it has them. */
  readonly isGuarded: boolean;
}

/** PEM files of the server's certificate. */
export interface ServerTlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Certificate authorities for client certificates, which clients then need. */
  readonly clientCa?: string | undefined;
}

/** PEM files for connections to engines. */
export interface EngineTlsFiles {
  /** Certificate authorities that replace the system's. */
  readonly ca?: string | undefined;
  /** The gateway's client certificate and key, for engines that require one. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Limits on clients. Times in milliseconds. */
export interface ServerLimits {
  /** Time within which a request's headers must arrive. */
  readonly headerMs: number;
  /** Time within which the whole request must arrive. */
  readonly bodyMs: number;
  /** How long a client may leave its answer unread. */
  readonly unreadMs: number;
  readonly maxConnections: number;
  /** Largest size of a request's headers, in bytes. */
  readonly maxHeaderSize: number;
}

export const DEFAULT_SERVER_LIMITS: ServerLimits = {
  headerMs: 10_000,
  bodyMs: 60_000,
  unreadMs: 60_000,
  maxConnections: 10_000,
  maxHeaderSize: 16 * 1024,
};

/** A running gateway. */
export interface ListeningGateway {
  readonly port: number;
  /** The port of `/admin`, if it has its own. */
  readonly adminPort?: number | undefined;
  readonly models: Models;
  readonly engines: AttachedEngines;
  /**
   * Connects an acceptor process; undefined without acceptors.
   * @returns a function to call when the acceptor has exited
   */
  readonly joinAcceptor?: ((channel: RouterChannel) => () => void) | undefined;
  /** Tells clients and load balancers that it is about to stop, while it keeps serving. */
  beginDrain(): void;
  /** Waits for requests in flight until the deadline, then closes everything. */
  drain(deadlineMs: number): Promise<void>;
}

/** Features that only Node supports. */
export type NodeOnly = "engine certificates" | "client certificates" | "processes";

/** @throws AccessError if an option needs a feature that the runtime lacks; ignoring it could open the gateway */
export function refuseMissing(
  { tls, engineTls, hasAcceptors }: ListeningOptions,
  runtime: string,
  missing: readonly NodeOnly[],
): void {
  const asked: Record<NodeOnly, string | false> = {
    "engine certificates":
      (engineTls?.ca ?? engineTls?.cert) !== undefined && "--engine-ca and --engine-tls-cert",
    "client certificates": tls?.clientCa !== undefined && "--tls-client-ca",
    processes: hasAcceptors === true && "--processes",
  };
  for (const what of missing) {
    if (asked[what] !== false)
      throw new AccessError(`${asked[what]}: not supported on ${runtime} yet; run the gateway on Node.`);
  }
}
