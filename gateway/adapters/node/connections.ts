import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Server as HttpsServer } from "node:https";
import { Server as NetServer, type Socket } from "node:net";
import { watchHalfClosed } from "./half-closed.ts";

/** What clients get to read why their answers end. */
const LAST_WORDS_MS = 500;
/** How long after the end a kept connection may still bring a request that was underway. */
const UNDERWAY_MS = 200;

interface Connection {
  /** Answers that have not ended, in the order of their requests. */
  readonly answers: Set<ServerResponse>;
  /** Bytes that had come when the last answer ended: more belong to a request that is coming. */
  readTo: number;
}

/**
 * Knows which connections carry a request. (Node counts one on which nothing was ever sent as busy, and clients
 * open such ones ahead of need.)
 */
export class Connections {
  readonly #server: Server;
  readonly #open = new Map<Socket, Connection>();
  /** Connections whose TLS handshake has not ended, by the client's address. */
  readonly #shaking = new Map<string, Socket>();
  #isDraining = false;

  constructor(server: Server) {
    this.#server = server;
    const isTls = server instanceof HttpsServer;
    if (isTls) server.on("connection", (socket: Socket) => this.#onHandshake(socket));
    server.on(isTls ? "secureConnection" : "connection", (socket: Socket) => {
      this.#shaking.delete(addressOf(socket));
      const connection = { answers: new Set<ServerResponse>(), readTo: socket.bytesRead };
      this.#open.set(socket, connection);
      socket.once("close", () => this.#open.delete(socket));
      watchHalfClosed(socket, connection.answers);
    });
    server.prependListener("request", (request, response) => this.#onRequest(request, response));
    // Nothing has gone in or out for a while. That is as it should be while an engine thinks, and not where the
    // client leaves unread what there is, or asks nothing more.
    server.on("timeout", (socket: Socket) => {
      if (socket.writableLength > 0 || !this.#isBusy(socket)) socket.destroy();
    });
  }

  /** Whether it can carry requests: a connection with TLS can after its handshake. */
  isOpen(socket: Socket): boolean {
    return this.#open.has(socket);
  }

  /** Whether something of an answer has been sent, and not all of it. */
  isAnswering(socket: Socket): boolean {
    const [first] = this.#open.get(socket)?.answers ?? [];
    return first?.headersSent === true;
  }

  /** Takes no more requests from it, and closes it when the answers that have begun are whole. */
  endAfterAnswer(socket: Socket): void {
    socket.pause();
    for (const answer of this.#open.get(socket)?.answers ?? []) {
      if (answer.headersSent) answer.once("close", () => socket.destroySoon());
      else answer.destroy();
    }
  }

  /** From now on each connection's last answer says that the connection ends with it. */
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
        cut = setTimeout(() => this.#server.closeAllConnections(), LAST_WORDS_MS);
      }, deadlineMs);
      // Not as of HTTP, which would cut idle connections with the requests that are underway on them, and forget
      // about those that come too slowly.
      NetServer.prototype.close.call(this.#server, () => {
        clearTimeout(cut);
        this.#server.close();
        resolve();
      });
      for (const socket of this.#shaking.values()) socket.destroy();
      for (const socket of this.#open.keys()) this.#closeIfIdle(socket);
    });
  }

  #onHandshake(socket: Socket): void {
    const address = addressOf(socket);
    this.#shaking.set(address, socket);
    socket.once("close", () => {
      if (this.#shaking.get(address) === socket) this.#shaking.delete(address);
    });
  }

  #onRequest({ socket }: IncomingMessage, response: ServerResponse): void {
    const connection = this.#open.get(socket);
    if (connection === undefined) return;
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
    // What has come by then is read before it is looked at.
    const timer = setTimeout(() => setImmediate(() => this.#closeUnlessAsked(socket)), UNDERWAY_MS);
    socket.once("close", () => clearTimeout(timer));
  }

  #closeUnlessAsked(socket: Socket): void {
    const connection = this.#open.get(socket);
    if (!this.#isBusy(socket) && socket.bytesRead === connection?.readTo) socket.destroySoon();
  }

  #isBusy(socket: Socket): boolean {
    return (this.#open.get(socket)?.answers.size ?? 0) > 0;
  }
}

const addressOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;

/**
 * Node writes `connection: close` in the head of an answer that is not to keep it, and drops what has been asked
 * behind that one: of several, whose requests came together, it has to be the last.
 */
function endWithLast(answers: ReadonlySet<ServerResponse>): void {
  const all = [...answers];
  const last = all.pop();
  for (const answer of all) if (!answer.headersSent) answer.shouldKeepAlive = true;
  if (last?.headersSent === false) last.shouldKeepAlive = false;
}
