import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
} from "node:http";
import { createServer as createHttpsServer, Server as HttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { SecureContextOptions } from "node:tls";
import { getRequestListener, RequestError } from "@hono/node-server";
import type { Logger } from "#runtime";
import { hasDotSegments } from "../../access/paths.ts";
import { badPath } from "../../access/refusals.ts";
import { ApiError, toApiError } from "../../errors.ts";
import type { ServerLimits } from "../listening.ts";

export interface HttpListener {
  /** The port that was really taken. */
  readonly port: number;
  /** From now on, new connections are encrypted with these; those that are open stay as they are. */
  useTls(tls: TlsIdentity): void;
  /**
   * Stops listening, waits for running requests to end or for the deadline, then cuts what is left.
   * @param onDeadline ends requests in words that their clients can read, for which there is a moment
   */
  drain(deadlineMs: number, onDeadline: () => void): Promise<void>;
}

/** Certificate and key of the server, and who may connect. */
export interface TlsIdentity extends Pick<SecureContextOptions, "cert" | "key"> {
  /** Certificate authorities of clients; with them, nobody else may connect. */
  readonly clientCa: Buffer | undefined;
}

/** How often Node looks for requests that are late, in milliseconds. */
const LOOK_MS = 1_000;
const MAX_HEADERS = 200;
/** What clients get to read why their answers end. */
const LAST_WORDS_MS = 500;
const HANDSHAKE_MS = 10_000;

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly limits: ServerLimits;
  readonly tls: TlsIdentity | undefined;
  readonly log: Logger;
  /** Whether other processes listen at the same port, and the system shares connections out among them. */
  readonly isShared?: boolean;
}

/**
 * Listens for HTTP, or HTTPS.
 * @throws the system's error, `EADDRINUSE` where the port is taken
 */
export async function listen(
  fetch: (request: Request, env: unknown) => Response | Promise<Response>,
  { host, port, limits, tls, log, isShared }: ListenOptions,
): Promise<HttpListener> {
  const errorHandler = (error: unknown) => {
    if (error instanceof RequestError)
      return badHttp(400, "The request's address or Host header is not valid.");
    log.error("request failed", { error });
    return Response.json(toApiError(error), { status: 500 });
  };
  // The web's own addresses have lost them: whoever stands before the gateway may have let `/v1/…` pass alone.
  const checked = (request: Request, env: { incoming: { url?: string | undefined } }) =>
    hasDotSegments(env.incoming.url ?? "") ? Response.json(badPath(), { status: 400 }) : fetch(request, env);
  const handle = getRequestListener(checked, { overrideGlobalObjects: false, errorHandler });
  const options: ServerOptions = {
    headersTimeout: Math.min(limits.headerMs, limits.bodyMs),
    requestTimeout: limits.bodyMs,
    connectionsCheckingInterval: Math.min(LOOK_MS, limits.headerMs / 2),
    maxHeaderSize: limits.maxHeaderSize,
    // Such a request gets an answer with a sentence in it, from below.
    requireHostHeader: false,
    // Longer than a load balancer's idle time-out, so that it is never the server that closes first.
    keepAliveTimeout: 75_000,
  };
  const server =
    tls === undefined
      ? createHttpServer(options, handle)
      : createHttpsServer({ ...options, ...secureOptions(tls), handshakeTimeout: HANDSHAKE_MS }, handle);
  server.maxHeadersCount = MAX_HEADERS;
  server.maxConnections = limits.maxConnections;
  server.timeout = limits.unreadMs;
  server.on("clientError", refuseMalformed);
  // What is written to a client that has gone, or after an answer's end, is that request's own matter.
  server.prependListener("request", (request, response) => {
    nameHost(request);
    response.on("error", (error) => log.debug("cannot write to a client", { reason: error.message }));
  });
  const connections = new Connections(server);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host, reusePort: isShared ?? false }, () => resolve());
  });
  return {
    port: (server.address() as AddressInfo).port,
    useTls(identity) {
      if (server instanceof HttpsServer) server.setSecureContext(secureOptions(identity));
    },
    drain: (deadlineMs, onDeadline) => connections.drain(deadlineMs, onDeadline),
  };
}

function secureOptions({ cert, key, clientCa }: TlsIdentity) {
  const mutual = clientCa && { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  return { cert, key, minVersion: "TLSv1.2" as const, ALPNProtocols: ["http/1.1"], ...mutual };
}

/**
 * Knows which connections carry a request. (Node counts one on which nothing was ever sent as busy, and clients
 * open such ones ahead of need.)
 */
class Connections {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  readonly #busy = new Set<Socket>();
  #isDraining = false;

  constructor(server: Server) {
    this.#server = server;
    server.on(server instanceof HttpsServer ? "secureConnection" : "connection", (socket: Socket) => {
      this.#open.add(socket);
      socket.once("close", () => this.#open.delete(socket));
    });
    server.prependListener("request", ({ socket }, response) => {
      this.#busy.add(socket);
      response.once("close", () => {
        this.#busy.delete(socket);
        if (this.#isDraining) socket.destroySoon();
      });
    });
    // Nothing has gone in or out for a while. That is as it should be while an engine thinks, and not where the
    // client leaves unread what there is, or asks nothing more.
    server.on("timeout", (socket: Socket) => {
      if (socket.writableLength > 0 || !this.#busy.has(socket)) socket.destroy();
    });
  }

  drain(deadlineMs: number, onDeadline: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#isDraining = true;
      let cut = setTimeout(() => {
        onDeadline();
        cut = setTimeout(() => this.#server.closeAllConnections(), LAST_WORDS_MS);
      }, deadlineMs);
      this.#server.close(() => {
        clearTimeout(cut);
        resolve();
      });
      for (const socket of this.#open) if (!this.#busy.has(socket)) socket.destroySoon();
    });
  }
}

/** HTTP/1.0 asks for no Host, and the checks of load balancers still send none. */
function nameHost({ httpVersion, rawHeaders, headers, socket }: IncomingMessage): void {
  if (httpVersion !== "1.0" || headers.host !== undefined) return;
  const { localAddress = "127.0.0.1", localPort } = socket;
  const address = localAddress.includes(":") ? `[${localAddress}]` : localAddress;
  headers.host = `${address}:${localPort}`;
  rawHeaders.push("host", headers.host);
}

/** What is not HTTP, or comes too slowly, gets an answer in the API's own shape before the connection closes. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const [status, phrase, message] = REFUSALS[error.code ?? ""] ?? NOT_HTTP;
  const body = JSON.stringify(badHttpError(status, message));
  socket.end(
    `HTTP/1.1 ${status} ${phrase}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

type Refusal = readonly [status: number, phrase: string, message: string];

const NOT_HTTP: Refusal = [400, "Bad Request", "The request is not valid HTTP/1.1."];

const REFUSALS: Readonly<Record<string, Refusal | undefined>> = {
  HPE_HEADER_OVERFLOW: [431, "Request Header Fields Too Large", "The request's headers are too large."],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "Request Timeout", "The request took too long to come."],
};

const badHttpError = (status: number, message: string) =>
  new ApiError(status, "invalid_request_error", message, { code: "bad_http" });

const badHttp = (status: number, message: string) => Response.json(badHttpError(status, message), { status });
