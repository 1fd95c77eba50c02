import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer, Server as HttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener, RequestError } from "@hono/node-server";
import type { Logger } from "#runtime";
import { hasDotSegments } from "../../access/paths.ts";
import { badPath } from "../../access/refusals.ts";
import { toApiError } from "../../kernel/errors.ts";
import { Stalls } from "../../kernel/stalls.ts";
import type { ServerLimits } from "../listening.ts";
import { Connections } from "./connections.ts";
import { badHttp, refuseMalformed } from "./malformed.ts";
import { connectionLimit } from "./open-files.ts";
import { isLingering } from "./unread-bodies.ts";

export interface HttpListener {
  /** The actual port. */
  readonly port: number;
  /** Uses this identity for new connections; open ones keep theirs. */
  useTls(tls: TlsIdentity): void;
  /** From now on, each answer closes its connection. */
  beginDrain(): void;
  /**
   * Stops listening, waits for requests in flight until the deadline, then aborts the rest.
   * @param onDeadline ends the remaining requests with an error, which gets a moment to be sent
   */
  drain(deadlineMs: number, onDeadline: () => void): Promise<void>;
}

/** The server's certificate and key, and the authorities of its clients. */
export interface TlsIdentity {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** If set, clients need a certificate from one of these authorities. */
  readonly clientCa: Buffer | undefined;
}

/** How often Node checks for late requests, in milliseconds. */
const CHECK_MS = 1_000;
const MAX_HEADERS = 200;
/** Below this, a limit of open files is worth a warning. */
const FEW_CONNECTIONS = 1_000;
/** Only forward secrecy and authenticated encryption; all clients of the last ten years support one of these. */
const CIPHERS = [
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "TLS_AES_128_GCM_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly limits: ServerLimits;
  readonly tls: TlsIdentity | undefined;
  readonly log: Logger;
  /** Whether other processes listen on the same port, and the system distributes connections among them. */
  readonly isShared?: boolean;
}

/**
 * Listens for HTTP or HTTPS.
 * @throws the system's error, `EADDRINUSE` if the port is taken
 */
export async function listen(
  fetch: (request: Request, env: unknown) => Response | Promise<Response>,
  { host, port, limits, tls, log, isShared }: ListenOptions,
): Promise<HttpListener> {
  const errorHandler = (error: unknown) => {
    if (error instanceof RequestError)
      return badHttp(400, "The request's target or Host header is not valid.");
    log.error("request failed", { error });
    return Response.json(toApiError(error), { status: 500 });
  };
  const checked = (request: Request, env: { incoming: Pick<IncomingMessage, "url" | "headers"> }) => {
    const { url = "", headers } = env.incoming;
    // Required even if the request target names the host (RFC 9112, section 3.2).
    if (headers.host === undefined) return badHttp(400, "The request has no Host header.");
    // Checked here because `Request` resolves them: a proxy in front may allow only `/v1/…`.
    return hasDotSegments(url) ? Response.json(badPath(), { status: 400 }) : fetch(request, env);
  };
  const answer = getRequestListener(checked, { overrideGlobalObjects: false, errorHandler });
  const handle = (request: IncomingMessage, response: ServerResponse) =>
    isLingering(request.socket) ? request.socket.destroy() : answer(request, response);
  const options: ServerOptions = {
    headersTimeout: Math.min(limits.headerMs, limits.bodyMs),
    requestTimeout: limits.bodyMs,
    connectionsCheckingInterval: Math.min(CHECK_MS, limits.headerMs / 2),
    maxHeaderSize: limits.maxHeaderSize,
    // Checked above, with a clear error message.
    requireHostHeader: false,
    // Longer than a load balancer's idle timeout, so that the server never closes first.
    keepAliveTimeout: 75_000,
  };
  const server =
    tls === undefined
      ? createHttpServer(options, handle)
      : createHttpsServer({ ...options, ...secureOptions(tls), handshakeTimeout: limits.headerMs }, handle);
  server.maxHeadersCount = MAX_HEADERS;
  server.maxConnections = connectionLimit(limits.maxConnections);
  if (server.maxConnections < limits.maxConnections)
    log[server.maxConnections < FEW_CONNECTIONS ? "warn" : "debug"](
      "fewer connections than --max-connections are admitted: the limit of open files (ulimit -n) is low",
      { connections: server.maxConnections },
    );
  server.timeout = limits.unreadMs;
  // Half-closed connections still get answers; see `watchHalfClosed`.
  Object.assign(server, { httpAllowHalfOpen: true });
  const stalls = discountStalls(server);
  const connections = new Connections(server);
  server.on("clientError", (error, socket: Socket) => refuseMalformed(error, socket, connections));
  // A write to a disconnected client, or after the end of an answer, must not become an uncaught error.
  server.prependListener("request", (request, response) => {
    setHost(request);
    response.on("error", (error) => log.debug("cannot write to a client", { reason: error.message }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      stalls.close();
      reject(error);
    });
    server.listen({ port, host, reusePort: isShared ?? false }, () => resolve());
  });
  return {
    port: (server.address() as AddressInfo).port,
    useTls(identity) {
      if (server instanceof HttpsServer) server.setSecureContext(secureOptions(identity));
    },
    beginDrain: () => connections.beginDrain(),
    async drain(deadlineMs, onDeadline) {
      await connections.drain(deadlineMs, onDeadline);
      stalls.close();
    },
  };
}

function secureOptions({ cert, key, clientCa }: TlsIdentity) {
  const mutual = clientCa && { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  const protocol = { minVersion: "TLSv1.2" as const, ciphers: CIPHERS, ALPNProtocols: ["http/1.1"] };
  return { cert, key, ...protocol, ...mutual };
}

/** Excludes this process's stalls from the timeouts. (Node reads both whenever it checks for late requests.) */
function discountStalls(server: Server): Stalls {
  const { headersTimeout, requestTimeout } = server;
  const stalls = new Stalls(Math.max(headersTimeout, requestTimeout));
  Object.defineProperty(server, "headersTimeout", { get: () => headersTimeout + stalls.ms });
  Object.defineProperty(server, "requestTimeout", { get: () => requestTimeout + stalls.ms });
  return stalls;
}

/**
 * Sets the Host header: a host in the request target overrides it (RFC 9112, section 3.2.2). HTTP/1.0 requires none,
 * and some load balancers' health checks still omit it.
 */
function setHost({ httpVersion, url = "", rawHeaders, headers, socket }: IncomingMessage): void {
  const named = /^https?:\/\/([^/?#]+)/i.exec(url)?.[1];
  if (named !== undefined && headers.host !== undefined) {
    headers.host = named;
    rawHeaders.forEach((name, index) => {
      if (index % 2 === 0 && name.toLowerCase() === "host") rawHeaders[index + 1] = named;
    });
  }
  if (httpVersion !== "1.0" || headers.host !== undefined) return;
  const { localAddress = "127.0.0.1", localPort } = socket;
  const address = localAddress.includes(":") ? `[${localAddress}]` : localAddress;
  headers.host = `${address}:${localPort}`;
  rawHeaders.push("host", headers.host);
}
