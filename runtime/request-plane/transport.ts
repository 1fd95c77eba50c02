import { parseAddress } from "./address.ts";
import { memoryTransport } from "./memory-transport.ts";
import { natsTransport } from "./nats/transport.ts";
import type { Listener, Pipe } from "./pipe.ts";
import { socketTransport } from "./socket-transport.ts";
import type { ConnectOptions, ServeOptions } from "./types.ts";

/** Listens for pipes at `address`, with the transport of its scheme. */
export async function listenPipes(
  address: string,
  onPipe: (pipe: Pipe) => void,
  options: ServeOptions = {},
): Promise<Listener> {
  const parsed = parseAddress(address);
  switch (parsed.kind) {
    case "memory":
      return memoryTransport.listen(parsed, onPipe, options);
    case "nats":
      return natsTransport.listen(parsed, onPipe, options);
    default:
      return socketTransport.listen(parsed, onPipe, options);
  }
}

/** Opens a pipe to `address`. */
export async function connectPipe(
  address: string,
  signal: AbortSignal,
  options: ConnectOptions = {},
): Promise<Pipe> {
  const parsed = parseAddress(address);
  switch (parsed.kind) {
    case "memory":
      return memoryTransport.connect(parsed, signal, options);
    case "nats":
      return natsTransport.connect(parsed, signal, options);
    default:
      return socketTransport.connect(parsed, signal, options);
  }
}
