import type { SecureContextOptions } from "node:tls";
import type { HttpCall, HttpReceiver, HttpRequest, HttpTimeouts } from "../../../dispatch/http/types.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";

/** Connections to servers, kept open between requests for as long as their servers do. */
export class ConnectionPool implements ConnectionOwner {
  /** Idle ones by origin, the one used last at the end. */
  readonly #idle = new Map<string, Idle[]>();
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
    const timer = setTimeout(() => connection.destroy(), forMs);
    timer.unref();
    const idle = { connection, timer };
    const others = this.#idle.get(connection.origin);
    if (others === undefined) this.#idle.set(connection.origin, [idle]);
    else others.push(idle);
  }

  onClosed(connection: Connection): void {
    const connections = this.#idle.get(connection.origin) ?? [];
    const index = connections.findIndex((idle) => idle.connection === connection);
    if (index < 0) return;
    clearTimeout(connections[index]!.timer);
    connections.splice(index, 1);
    if (connections.length === 0) this.#idle.delete(connection.origin);
  }

  close(): void {
    this.#isClosed = true;
    for (const { connection, timer } of [...this.#idle.values()].flat()) {
      clearTimeout(timer);
      connection.destroy();
    }
  }

  /** The one used last: it is the least likely to be about to close. */
  #take(origin: string): Connection | undefined {
    const last = this.#idle.get(origin)?.pop();
    clearTimeout(last?.timer);
    return last?.connection;
  }
}

/** A connection that waits, and the timer that closes it. */
interface Idle {
  readonly connection: Connection;
  readonly timer: ReturnType<typeof setTimeout>;
}
