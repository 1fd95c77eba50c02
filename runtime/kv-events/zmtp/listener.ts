import { createServer, type Server, type Socket } from "node:net";
import { listenAt } from "../../listen.ts";
import { ZmtpConnection, type ZmtpHandlers } from "./connection.ts";
import { bindPlace, formatPlace } from "./endpoint.ts";
import type { SocketType } from "./framing.ts";

/** The handler of an established connection. */
export type ZmtpPeer = Omit<ZmtpHandlers, "onReady">;

/** A bound ZeroMQ socket that accepts compatible peers. */
export class ZmtpListener {
  /** The endpoint with its actual address and port. */
  readonly endpoint: string;
  readonly #server: Server;
  readonly #connections: Set<ZmtpConnection>;

  /**
   * @param welcome creates the handler of an established connection
   * @throws Error whose message says why it cannot be bound, as half a sentence; RangeError for an invalid endpoint
   */
  static async bind(
    endpoint: string,
    type: SocketType,
    welcome: (connection: ZmtpConnection) => ZmtpPeer,
  ): Promise<ZmtpListener> {
    const place = bindPlace(endpoint);
    const connections = new Set<ZmtpConnection>();
    const server = createServer({ noDelay: true, highWaterMark: SOCKET_BYTES }, (socket) =>
      accept(socket, type, connections, welcome),
    );
    await listenAt(server, place);
    // The process is out of file descriptors; waiting connections are accepted later.
    server.on("error", () => {});
    const bound = server.address();
    const isTcp = "port" in place && bound !== null && typeof bound !== "string";
    const found = isTcp ? { host: bound.address, port: bound.port } : place;
    return new ZmtpListener(formatPlace(found), server, connections);
  }

  private constructor(endpoint: string, server: Server, connections: Set<ZmtpConnection>) {
    this.endpoint = endpoint;
    this.#server = server;
    this.#connections = connections;
  }

  /** Also closes all connections. Unsent data is lost. */
  close(): void {
    this.#server.close();
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
  }
}

function accept(
  socket: Socket,
  type: SocketType,
  connections: Set<ZmtpConnection>,
  welcome: (connection: ZmtpConnection) => ZmtpPeer,
): void {
  let peer: ZmtpPeer | undefined;
  const handlers: ZmtpHandlers = {
    onReady: () => {
      peer = welcome(connection);
    },
    onMessage: (frames) => peer?.onMessage(frames),
    onCommand: (name, data) => peer?.onCommand?.(name, data),
    onDrain: () => peer?.onDrain?.(),
    onClose: (reason) => {
      connections.delete(connection);
      peer?.onClose(reason);
    },
  };
  const connection = new ZmtpConnection(socket, type, handlers, PEER_LIMITS);
  connections.add(connection);
}

/** Subscriptions and requests are short; the handshake timeout is ZeroMQ's. */
const PEER_LIMITS = { mostBytes: 64 * 1024, handshakeMs: 30_000 };

/** Most unsent bytes per connection. With less, long messages leave in too many small writes. */
const SOCKET_BYTES = 256 * 1024;
