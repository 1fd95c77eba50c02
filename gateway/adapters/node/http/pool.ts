import type { SecureContextOptions } from "node:tls";
import {
  type HttpCall,
  HttpError,
  type HttpHead,
  type HttpReceiver,
  type HttpRequest,
  type HttpTimeouts,
} from "../../../wire/types.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";

const NAME_TTL_MS = 30_000;

/** Connections to servers, kept open between requests for as long as the servers allow. */
export class ConnectionPool implements ConnectionOwner {
  readonly nameTtlMs: number;
  /** Idle connections by origin, the most recently used one last. */
  readonly #idle = new Map<string, Idle[]>();
  readonly #tls: SecureContextOptions | undefined;
  #isClosed = false;

  /**
   * @param tls certificates for `https:`, which add to or replace the system's
   * @param nameTtlMs how long a connection to a host name is reused, in milliseconds
   */
  constructor(tls?: SecureContextOptions, nameTtlMs = NAME_TTL_MS) {
    this.#tls = tls;
    this.nameTtlMs = nameTtlMs;
  }

  send(request: HttpRequest, receiver: HttpReceiver, timeouts: HttpTimeouts): HttpCall {
    const open = () => new Connection(request.origin, this, this.#tls);
    const kept = request.mayReuse ? this.#take(request.origin) : undefined;
    if (kept === undefined) return open().send(request, receiver, timeouts);
    return kept.send(request, receiver, timeouts, () =>
      open().send(request, new ResendReceiver(receiver), timeouts),
    );
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

  /** Takes the most recently used connection, which is least likely to be closed by the server. */
  #take(origin: string): Connection | undefined {
    const last = this.#idle.get(origin)?.pop();
    if (last === undefined) return undefined;
    clearTimeout(last.timer);
    if (last.connection.isFresh) return last.connection;
    last.connection.destroy();
    return this.#take(origin);
  }
}

/**
 * Receives the answer to a request that was resent because a kept-alive connection had closed. If the server no
 * longer listens, it went down while it had the request, perhaps because of it: the request is lost, not unsent.
 */
class ResendReceiver implements HttpReceiver {
  readonly #receiver: HttpReceiver;

  constructor(receiver: HttpReceiver) {
    this.#receiver = receiver;
  }

  onHead(head: HttpHead): void {
    this.#receiver.onHead(head);
  }

  onBytes(wire: Uint8Array, isFramed: boolean): boolean {
    return this.#receiver.onBytes(wire, isFramed);
  }

  onEnd(wire: Uint8Array, isFramed: boolean): boolean {
    return this.#receiver.onEnd(wire, isFramed);
  }

  onError(error: HttpError): void {
    const { message, code } = error;
    this.#receiver.onError(code === "unsent" ? new HttpError("lost", message, error) : error);
  }
}

/** An idle connection, and the timer that closes it. */
interface Idle {
  readonly connection: Connection;
  readonly timer: ReturnType<typeof setTimeout>;
}
