import type { SecureContextOptions } from "node:tls";
import type { HttpCall, HttpReceiver, HttpRequest, HttpTimeouts } from "../../../dispatch/http/types.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";

/** Connections to servers, kept open between requests for as long as their servers do. */
export class ConnectionPool implements ConnectionOwner {
  /** Idle ones by origin, the one used last at the end, with the timer that closes it. */
  readonly #idle = new Map<string, Map<Connection, ReturnType<typeof setTimeout>>>();
  readonly #tls: SecureContextOptions | undefined;
  #isClosed = false;

  /** @param tls certificates for `https:`, beside or in place of the system's */
  constructor(tls?: SecureContextOptions) {
    this.#tls = tls;
  }

  send(request: HttpRequest, receiver: HttpReceiver, timeouts: HttpTimeouts): HttpCall {
    const connection =
      (request.mayReuse ? this.#take(request.origin) : undefined) ??
      new Connection(request.origin, this, this.#tls);
    return connection.send(request, receiver, timeouts);
  }

  onIdle(connection: Connection, forMs: number): void {
    if (this.#isClosed) {
      connection.destroy();
      return;
    }
    let connections = this.#idle.get(connection.origin);
    if (connections === undefined) {
      connections = new Map();
      this.#idle.set(connection.origin, connections);
    }
    const timer = setTimeout(() => connection.destroy(), forMs);
    timer.unref();
    connections.set(connection, timer);
  }

  onClosed(connection: Connection): void {
    const connections = this.#idle.get(connection.origin);
    clearTimeout(connections?.get(connection));
    connections?.delete(connection);
    if (connections?.size === 0) this.#idle.delete(connection.origin);
  }

  close(): void {
    this.#isClosed = true;
    for (const connections of this.#idle.values()) {
      for (const [connection, timer] of connections) {
        clearTimeout(timer);
        connection.destroy();
      }
    }
  }

  /** The one used last: it is the least likely to be about to close. */
  #take(origin: string): Connection | undefined {
    const connections = this.#idle.get(origin);
    const last = connections === undefined ? undefined : [...connections].at(-1);
    if (last === undefined) return undefined;
    const [connection, timer] = last;
    clearTimeout(timer);
    connections?.delete(connection);
    return connection;
  }
}
