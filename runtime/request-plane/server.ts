import { statusEndpoint, statusHandler } from "../status.ts";
import { defaultMaxMessageBytes } from "./frame.ts";
import { defaultPingMs } from "./heartbeat.ts";
import type { Listener, Pipe } from "./pipe.ts";
import { type ConnectionHome, ServerConnection } from "./server-connection.ts";
import { listenPipes } from "./transport.ts";
import { type Handler, PlaneError, type RequestPlaneServer, type ServeOptions } from "./types.ts";

/**
 * Serves `handlers` by endpoint name at `address`: `unix:/path`, `tcp:host:port` or `tls:host:port` (port 0 picks a free
 * one, shown in the server's address), `nats:` or `memory:name`. Replaces the socket file of a dead process.
 *
 * @throws PlaneError `invalid_request` if the address is malformed, in use or cannot be listened on
 * @example
 * const server = await serve("tcp:127.0.0.1:0", {
 *   echo(payload, call) {
 *     call.send(payload);
 *     call.end();
 *   },
 * });
 */
export async function serve(
  address: string,
  handlers: Record<string, Handler>,
  options: ServeOptions = {},
): Promise<RequestPlaneServer> {
  const server = new Server(handlers, options);
  await server.listen(address);
  return server;
}

class Server implements RequestPlaneServer, ConnectionHome {
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly maxMessageBytes: number;
  readonly pingMs: number;
  draining = false;
  activeCalls = 0;
  readonly #options: ServeOptions;
  readonly #connections = new Set<ServerConnection>();
  #listener: Listener | undefined;
  /** Resolves when no call runs; undefined unless someone waits. */
  #idle: PromiseWithResolvers<void> | undefined;
  /** Resolves when no connection is open. */
  #empty: PromiseWithResolvers<void> | undefined;

  constructor(handlers: Record<string, Handler>, options: ServeOptions) {
    this.handlers = new Map(Object.entries({ [statusEndpoint]: statusHandler, ...handlers }));
    this.maxMessageBytes = options.maxMessageBytes ?? defaultMaxMessageBytes;
    this.pingMs = options.pingMs ?? defaultPingMs;
    this.#options = options;
  }

  async listen(address: string): Promise<void> {
    this.#listener = await listenPipes(address, (pipe) => this.#accept(pipe), this.#options);
  }

  get address(): string {
    return this.#listener?.address ?? "";
  }

  async drain(deadlineMs: number): Promise<void> {
    this.draining = true;
    await this.#untilIdle(deadlineMs);
    for (const connection of this.#connections) {
      // It then has a short time to deliver its data before it is closed.
      if (connection.isIdle) connection.leave();
      else connection.destroy(serverClosed());
    }
    await this.#closeListener();
  }

  async close(): Promise<void> {
    this.draining = true;
    for (const connection of this.#connections) connection.destroy(serverClosed());
    await this.#closeListener();
  }

  onError(error: Error, endpoint?: string): void {
    this.#options.onError?.(error, endpoint);
  }

  callStarted(): void {
    this.activeCalls++;
  }

  callEnded(): void {
    this.activeCalls--;
    if (this.activeCalls === 0) this.#idle?.resolve();
  }

  closed(connection: ServerConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#empty?.resolve();
  }

  #accept(pipe: Pipe): void {
    this.#connections.add(new ServerConnection(this, pipe));
  }

  async #untilIdle(deadlineMs: number): Promise<void> {
    if (this.activeCalls === 0) return;
    this.#idle ??= Promise.withResolvers();
    const timer = setTimeout(this.#idle.resolve, deadlineMs);
    await this.#idle.promise;
    clearTimeout(timer);
    this.#idle = undefined;
  }

  /** Stops listening and waits until all connections are gone. */
  async #closeListener(): Promise<void> {
    await this.#listener?.close();
    if (this.#connections.size === 0) return;
    this.#empty ??= Promise.withResolvers();
    await this.#empty.promise;
  }
}

const serverClosed = (): PlaneError => new PlaneError("connection_lost", "The server closed.");
