import { AccessError } from "../access/parse-keys.ts";
import type { GatewayOptions } from "../compose/create-gateway.ts";
import type { Models } from "../models/models.ts";
import type { AttachedEngines } from "../models/sources/attached-engines.ts";
import type { RouterChannel } from "../remote/messages.ts";

/** What a gateway with a port needs beside what every gateway does. */
export interface ListeningOptions extends GatewayOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** The compiled router core. */
  routerModule: WebAssembly.Module;
  /** Where `/admin` and the other routes that run the gateway are; default: beside the API. */
  admin?: AdminPlace | undefined;
  /** Certificate of the server; default: no encryption. */
  tls?: TlsFiles | undefined;
  /** Certificates for engines at `https:` addresses; default: the system's. */
  engineTls?: EngineTlsFiles | undefined;
  serverLimits?: ServerLimits;
  /** Whether acceptors serve the port, and this one only tells them where requests go. */
  hasAcceptors?: boolean;
}

export interface AdminPlace {
  /** Undefined: they are nowhere. */
  readonly port: number | undefined;
  readonly host: string;
  /** Whether that port is as well guarded as the API: by keys and TLS, where it has them. */
  readonly isGuarded: boolean;
}

/** PEM files of a server's certificate. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Certificate authorities of clients, which then need a certificate of theirs. */
  readonly clientCa?: string | undefined;
}

/** PEM files for connections to engines. */
export interface EngineTlsFiles {
  /** Certificate authorities that engines' certificates come from, in place of the system's. */
  readonly ca?: string | undefined;
  /** The gateway's own certificate and key, for engines that ask for one. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** How much of the server's patience and memory clients may take. Times in milliseconds. */
export interface ServerLimits {
  /** Until a request's headers must have come. */
  readonly headerMs: number;
  /** Until a request must have come whole. */
  readonly bodyMs: number;
  /** For which a client may leave its answer unread. */
  readonly unreadMs: number;
  readonly maxConnections: number;
  /** Bytes of a request's headers. */
  readonly maxHeaderSize: number;
}

export const DEFAULT_SERVER_LIMITS: ServerLimits = {
  headerMs: 10_000,
  bodyMs: 60_000,
  unreadMs: 60_000,
  maxConnections: 10_000,
  maxHeaderSize: 16 * 1024,
};

/** A gateway that listens. */
export interface ListeningGateway {
  readonly port: number;
  /** Where `/admin` is, if it has a port of its own. */
  readonly adminPort?: number | undefined;
  readonly models: Models;
  readonly engines: AttachedEngines;
  /**
   * Takes in an acceptor, where there are such.
   * @returns to be called when it has gone
   */
  readonly joinAcceptor?: ((channel: RouterChannel) => () => void) | undefined;
  /** Tells clients and load balancers that it is about to stop, and goes on answering. */
  beginDrain(): void;
  /** Lets running requests end (for as long as the deadline), then closes everything. */
  drain(deadlineMs: number): Promise<void>;
}

/** What not every runtime has. */
export type NodeOnly = "engine certificates" | "client certificates" | "processes";

/** @throws AccessError for what a runtime has not and was asked for: to leave it out silently would let people in */
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
      throw new AccessError(`${asked[what]}: not on ${runtime} yet; run the gateway on Node.`);
  }
}
