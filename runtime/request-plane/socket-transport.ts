import { createConnection, createServer, isIP, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions, connect as tlsConnect } from "node:tls";
import { listenAt, socketFault } from "../listen.ts";
import { watchFiles } from "../watch-files.ts";
import { type Address, formatAddress } from "./address.ts";
import type { Listener, Pipe, PipeSink, Transport } from "./pipe.ts";
import { readClientTls, readServerTls } from "./tls.ts";
import { type ConnectOptions, PlaneError, type ServeOptions } from "./types.ts";

type SocketAddress = Extract<Address, { kind: "unix" | "tcp" | "tls" }>;

/** Pipes over Unix sockets and TCP, which TLS may encrypt. */
export const socketTransport: Transport<SocketAddress> = {
  async listen(address, onPipe, options): Promise<Listener> {
    const onSocket = (socket: Socket) => onPipe(new SocketPipe(socket));
    const { server, close } =
      address.kind === "tls"
        ? await createSecureServer(address, onSocket, options)
        : { server: createServer(onSocket), close: () => {} };
    const { kind, ...place } = address;
    await listenAt(server, place).catch((cause: Error) => {
      close();
      const text = formatAddress(address);
      throw new PlaneError("invalid_request", `Cannot listen at ${text}: ${cause.message}.`, { cause });
    });
    return {
      address: boundAddress(server, address),
      async close() {
        // This also removes a Unix socket's file. Connections are not waited for.
        server.close();
        close();
      },
    };
  },

  async connect(address, signal, options): Promise<Pipe> {
    return new SocketPipe(await openSocket(address, signal, options));
  },
};

/** Longest time for a client's handshake, in milliseconds. */
const HANDSHAKE_MS = 10_000;

async function createSecureServer(
  address: SocketAddress,
  onSocket: (socket: Socket) => void,
  { tls, onError = () => {} }: ServeOptions,
): Promise<{ server: Server; close(): void }> {
  if (tls === undefined)
    throw new PlaneError("invalid_request", `${formatAddress(address)} needs a certificate and its key.`);
  const options: TlsOptions = { ...(await readServerTls(tls)), handshakeTimeout: HANDSHAKE_MS };
  const server = createTlsServer({ ...options, rejectUnauthorized: true }, onSocket);
  server.on("tlsClientError", (cause: NodeJS.ErrnoException & { reason?: string }, socket) => {
    // The client hung up, as probes of the port do, such as those of Kubernetes.
    if (cause.code === "ECONNRESET") return;
    // OpenSSL's own sentence is buried in its message.
    const reason = cause.reason ?? cause.message;
    onError(
      new Error(`A client at ${socket.remoteAddress ?? "an unknown address"} was refused: ${reason}`, {
        cause,
      }),
    );
  });
  const files = [tls.cert, tls.key, tls.clientCa].filter((path) => path !== undefined);
  const close = watchFiles(files, async () => {
    try {
      server.setSecureContext(await readServerTls(tls));
    } catch (error) {
      // Certificate and key are two files, which do not match between the two writes.
      onError(
        new Error("The certificate files have changed and are unusable; the previous ones stay.", {
          cause: error,
        }),
      );
    }
  });
  return { server, close };
}

class SocketPipe implements Pipe {
  readonly detectsSilence = false;
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

async function openSocket(
  address: SocketAddress,
  signal: AbortSignal,
  options: ConnectOptions,
): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { socket, connected } = await createSocket(address, signal, options);
  socket.once(connected, resolve);
  socket.once("error", reject);
  try {
    await promise;
  } catch (cause) {
    signal.throwIfAborted();
    const text = formatAddress(address);
    throw new PlaneError("connection_lost", `Cannot reach ${text}: ${socketFault(cause)}.`, { cause });
  }
  socket.off("error", reject);
  return socket;
}

/** Begins to connect. `connected` is the event that the socket emits once it has. */
async function createSocket(
  { kind, ...place }: SocketAddress,
  signal: AbortSignal,
  { tls = {} }: ConnectOptions,
): Promise<{ socket: Socket; connected: string }> {
  if (kind !== "tls") return { socket: createConnection({ ...place, signal }), connected: "connect" };
  const identity = await readClientTls(tls);
  signal.throwIfAborted();
  const host = "host" in place ? place.host : "";
  const name = tls.serverName ?? (isIP(host) === 0 ? host : undefined);
  const socket = tlsConnect({ ...place, ...identity, ...(name !== undefined && { servername: name }) });
  signal.addEventListener("abort", () => socket.destroy(signal.reason), { once: true });
  return { socket, connected: "secureConnect" };
}

function boundAddress(server: Server, address: SocketAddress): string {
  const bound = server.address();
  if (address.kind !== "unix" && bound !== null && typeof bound !== "string") {
    return formatAddress({ ...address, port: bound.port });
  }
  return formatAddress(address);
}
