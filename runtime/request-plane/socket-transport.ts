import { createConnection, createServer, type Server, type Socket } from "node:net";
import { listenAt, socketFault } from "../listen.ts";
import { type Address, formatAddress } from "./address.ts";
import type { Listener, Pipe, PipeSink, Transport } from "./pipe.ts";
import { PlaneError } from "./types.ts";

type SocketAddress = Extract<Address, { kind: "unix" | "tcp" }>;

/** Pipes over Unix sockets and TCP. */
export const socketTransport: Transport<SocketAddress> = {
  async listen(address, onPipe): Promise<Listener> {
    const server = createServer((socket) => onPipe(new SocketPipe(socket)));
    await listenAt(server, address).catch((cause: Error) => {
      const text = formatAddress(address);
      throw new PlaneError("invalid_request", `Cannot listen at ${text}: ${cause.message}.`, { cause });
    });
    return { address: boundAddress(server, address), close: () => closeServer(server) };
  },

  async connect(address, signal): Promise<Pipe> {
    return new SocketPipe(await openSocket(address, signal));
  },
};

class SocketPipe implements Pipe {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    // Messages are already gathered into one write, so Nagle's algorithm would only add latency.
    socket.setNoDelay(true);
    // An error before `start` still reaches the sink, as `socket.errored`.
    socket.on("error", () => {});
  }

  start(sink: PipeSink): void {
    const socket = this.#socket;
    socket.on("data", (chunk) => sink.onData(chunk as Uint8Array));
    if (socket.closed) queueMicrotask(() => sink.onClose(socket.errored ?? undefined));
    else socket.once("close", () => sink.onClose(socket.errored ?? undefined));
  }

  write(bytes: Uint8Array, done: () => void): void {
    if (this.#socket.writable) this.#socket.write(bytes, done);
  }

  end(): void {
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), lingerMs).unref();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** How long a peer can take to close its side. */
const lingerMs = 1_000;

async function openSocket(address: SocketAddress, signal?: AbortSignal): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { kind, ...place } = address;
  const socket = createConnection(signal ? { ...place, signal } : place);
  socket.once("connect", resolve);
  socket.once("error", reject);
  try {
    await promise;
  } catch (cause) {
    signal?.throwIfAborted();
    const text = formatAddress(address);
    throw new PlaneError("connection_lost", `Cannot reach ${text}: ${socketFault(cause)}.`, { cause });
  }
  socket.off("error", reject);
  return socket;
}

function boundAddress(server: Server, address: SocketAddress): string {
  const bound = server.address();
  if (address.kind === "tcp" && bound !== null && typeof bound !== "string") {
    return formatAddress({ ...address, port: bound.port });
  }
  return formatAddress(address);
}

/** Stops listening and removes a Unix socket's file. Does not wait for connections. */
async function closeServer(server: Server): Promise<void> {
  server.close();
}
