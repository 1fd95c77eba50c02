import { type Address, parseAddress } from "./address.ts";
import { memoryTransport } from "./memory-transport.ts";
import type { Listener, Pipe } from "./pipe.ts";
import { socketTransport } from "./socket-transport.ts";

/** Listens for pipes at `address`, with the transport of its scheme. */
export async function listenPipes(address: string, onPipe: (pipe: Pipe) => void): Promise<Listener> {
  const parsed = parseAddress(address);
  return isMemory(parsed) ? memoryTransport.listen(parsed, onPipe) : socketTransport.listen(parsed, onPipe);
}

/** Opens a pipe to `address`. */
export async function connectPipe(address: string, signal: AbortSignal): Promise<Pipe> {
  const parsed = parseAddress(address);
  return isMemory(parsed) ? memoryTransport.connect(parsed, signal) : socketTransport.connect(parsed, signal);
}

function isMemory(address: Address): address is Extract<Address, { kind: "memory" }> {
  return address.kind === "memory";
}
