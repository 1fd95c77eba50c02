import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Server as HttpsServer } from "node:https";
import { Server as NetServer, type Socket } from "node:net";
import { watchHalfClosed } from "./half-closed.ts";
import { lingerOverUnreadBodies } from "./unread-bodies.ts";

/** How long aborted answers get to send their error before their connections are closed. */
const FLUSH_MS = 500;
/** How long an idle connection stays open during a drain, for a request that is already on its way. */
const LATE_REQUEST_MS = 200;

interface Connection {
  /** Unfinished answers, in the order of their requests. */
  readonly answers: Set<ServerResponse>;
  latest: IncomingMessage | undefined;
  /** Bytes received when the last answer ended: any more belong to a new request. */
  readTo: number;
}

/**
 * Tracks which connections carry a request. (Node counts an unused connection as busy, and clients open connections
 * before they need them.)
 */
export class Connections {
  readonly #server: Server;
  readonly #open = new Map<Socket, Connection>();
  /** Connections in their TLS handshake, by the client's address. */
  readonly #handshaking = new Map<string, Socket>();
  #isDraining = false;

  constructor(server: Server) {
    this.#server = server;
    const isTls = server instanceof HttpsServer;
    if (isTls) server.on("connection", (socket: Socket) => this.#onHandshake(socket));
    server.on(isTls ? "secureConnection" : "connection", (socket: Socket) => {
      this.#handshaking.delete(addressOf(socket));
      const connection: Connection = { answers: new Set(), latest: undefined, readTo: socket.bytesRead };
      this.#open.set(socket, connection);
      socket.once("close", () => this.#open.delete(socket));
      watchHalfClosed(socket, connection.answers);
      lingerOverUnreadBodies(socket, () => connection.latest);
    });
    server.prependListener("request", (request, response) => this.#onRequest(request, response));
    // Nothing was read or written for a while. That is normal while an engine is working, but not if the client
    // leaves data unread or has no request.
    server.on("timeout", (socket: Socket) => {
      if (socket.writableLength > 0 || !this.#isBusy(socket)) socket.destroy();
    });
  }

  /** Whether it can carry requests: a TLS connection can after its handshake. */
  isOpen(socket: Socket): boolean {
    return this.#open.has(socket);
  }

  /** Whether an answer has been partly sent. */
  isAnswering(socket: Socket): boolean {
    const [first] = this.#open.get(socket)?.answers ?? [];
    return first?.headersSent === true;
  }

  /** Takes no more requests from the connection, and closes it once the answers that have begun are complete. */
  endAfterAnswer(socket: Socket): void {
    socket.pause();
    for (const answer of this.#open.get(socket)?.answers ?? []) {
      if (answer.headersSent) answer.once("close", () => socket.destroySoon());
      else answer.destroy();
    }
  }

  /** From now on, each connection's last answer has `connection: close`. */
  beginDrain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    for (const { answers } of this.#open.values()) endWithLast(answers);
  }

  drain(deadlineMs: number, onDeadline: () => void): Promise<void> {
    this.beginDrain();
    return new Promise((resolve) => {
      let cut = setTimeout(() => {
        onDeadline();
        cut = setTimeout(() => this.#server.closeAllConnections(), FLUSH_MS);
      }, deadlineMs);
      // Not the HTTP server's close, which would drop requests on their way over idle connections, and stop timing
      // out slow ones.
      NetServer.prototype.close.call(this.#server, () => {
        clearTimeout(cut);
        this.#server.close();
        resolve();
      });
      for (const socket of this.#handshaking.values()) socket.destroy();
      for (const socket of this.#open.keys()) this.#closeIfIdle(socket);
    });
  }

  #onHandshake(socket: Socket): void {
    const address = addressOf(socket);
    this.#handshaking.set(address, socket);
    socket.once("close", () => {
      if (this.#handshaking.get(address) === socket) this.#handshaking.delete(address);
    });
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const connection = this.#open.get(socket);
    if (connection === undefined) return;
    connection.latest = request;
    connection.answers.add(response);
    if (this.#isDraining) endWithLast(connection.answers);
    response.once("close", () => {
      connection.answers.delete(response);
      connection.readTo = socket.bytesRead;
      if (this.#isDraining) this.#closeIfIdle(socket);
    });
  }

  #closeIfIdle(socket: Socket): void {
    if (this.#isBusy(socket)) return;
    // The immediate lets data that has arrived by then be read first.
    const timer = setTimeout(() => setImmediate(() => this.#closeIfUnused(socket)), LATE_REQUEST_MS);
    socket.once("close", () => clearTimeout(timer));
  }

  #closeIfUnused(socket: Socket): void {
    const connection = this.#open.get(socket);
    if (!this.#isBusy(socket) && socket.bytesRead === connection?.readTo) socket.destroySoon();
  }

  #isBusy(socket: Socket): boolean {
    return (this.#open.get(socket)?.answers.size ?? 0) > 0;
  }
}

const addressOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;

/**
 * Node writes `connection: close` into the head of an answer with `shouldKeepAlive` false, and drops the requests
 * after it: of several pipelined requests, it must be the last one's.
 */
function endWithLast(answers: ReadonlySet<ServerResponse>): void {
  const all = [...answers];
  const last = all.pop();
  for (const answer of all) if (!answer.headersSent) answer.shouldKeepAlive = true;
  if (last?.headersSent === false) last.shouldKeepAlive = false;
}
