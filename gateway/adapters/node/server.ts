import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener, RequestError } from "@hono/node-server";
import { ApiError } from "../../errors.ts";

export interface HttpListener {
  /** The port that was really taken. */
  readonly port: number;
  /** Stops listening, waits for running requests to end or for the deadline, then cuts what is left. */
  drain(deadlineMs: number): Promise<void>;
}

/**
 * Listens for HTTP.
 * @throws the system's error, `EADDRINUSE` where the port is taken
 */
export async function listen(
  fetch: (request: Request, env: unknown) => Response | Promise<Response>,
  host: string,
  port: number,
): Promise<HttpListener> {
  const errorHandler = (error: unknown) => {
    if (error instanceof RequestError)
      return badHttp(400, "The request's address or Host header is not valid.");
  };
  const server = createServer(getRequestListener(fetch, { overrideGlobalObjects: false, errorHandler }));
  // Longer than a load balancer's idle time-out, so that it is never the server that closes first.
  server.keepAliveTimeout = 75_000;
  server.on("clientError", refuseMalformed);
  const connections = new Connections(server);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve());
  });
  return {
    port: (server.address() as AddressInfo).port,
    drain: (deadlineMs) => connections.drain(deadlineMs),
  };
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
    server.on("connection", (socket: Socket) => {
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
  }

  drain(deadlineMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#isDraining = true;
      const cut = setTimeout(() => this.#server.closeAllConnections(), deadlineMs);
      this.#server.close(() => {
        clearTimeout(cut);
        resolve();
      });
      for (const socket of this.#open) if (!this.#busy.has(socket)) socket.destroySoon();
    });
  }
}

/** What is not HTTP gets an answer in the API's own shape before the connection closes. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const isTooLarge = error.code === "HPE_HEADER_OVERFLOW";
  const status = isTooLarge ? "431 Request Header Fields Too Large" : "400 Bad Request";
  const message = isTooLarge ? "The request's headers are too large." : "The request is not valid HTTP/1.1.";
  const body = JSON.stringify(badHttpError(isTooLarge ? 431 : 400, message));
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

const badHttpError = (status: number, message: string) =>
  new ApiError(status, "invalid_request_error", message, { code: "bad_http" });

const badHttp = (status: number, message: string) => Response.json(badHttpError(status, message), { status });
