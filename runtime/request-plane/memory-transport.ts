import type { Address } from "./address.ts";
import { formatAddress } from "./address.ts";
import type { Listener, Pipe, PipeSink, Transport } from "./pipe.ts";
import { PlaneError } from "./types.ts";

type MemoryAddress = Extract<Address, { kind: "memory" }>;

/** Pipes within one process, for tests and benchmarks. Delivery is asynchronous, as on a socket. */
export const memoryTransport: Transport<MemoryAddress> = {
  async listen(address, onPipe): Promise<Listener> {
    const { name } = address;
    const text = formatAddress(address);
    if (listeners.has(name)) throw new PlaneError("invalid_request", `${text} is in use by another server.`);
    listeners.set(name, onPipe);
    return {
      address: text,
      async close() {
        if (listeners.get(name) === onPipe) listeners.delete(name);
      },
    };
  },

  async connect(address): Promise<Pipe> {
    const onPipe = listeners.get(address.name);
    if (!onPipe) throw new PlaneError("connection_lost", `No server listens at ${formatAddress(address)}.`);
    const [near, far] = [new MemoryPipe(), new MemoryPipe()];
    near.peer = far;
    far.peer = near;
    onPipe(far);
    return near;
  },
};

const listeners = new Map<string, (pipe: Pipe) => void>();

interface Chunk {
  bytes: Uint8Array;
  done: () => void;
}

class MemoryPipe implements Pipe {
  /** A peer in the same process cannot vanish. */
  readonly detectsSilence = true;
  peer!: MemoryPipe;
  /** Undelivered chunks from the peer; a final `undefined` is the peer's close. */
  readonly #inbox: (Chunk | undefined)[] = [];
  #sink: PipeSink | undefined;
  #scheduled = false;
  #closed = false;
  #ended = false;

  start(sink: PipeSink): void {
    this.#sink = sink;
    this.#schedule();
  }

  write(bytes: Uint8Array, done: () => void): void {
    if (!this.#closed && !this.#ended) this.peer.#arrive({ bytes, done });
  }

  end(): void {
    if (this.#closed || this.#ended) return;
    this.#ended = true;
    this.peer.#arrive(undefined);
  }

  destroy(): void {
    if (this.#closed) return;
    this.end();
    this.#close();
  }

  #arrive(chunk: Chunk | undefined): void {
    if (this.#closed) return;
    this.#inbox.push(chunk);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || !this.#sink || this.#inbox.length === 0) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#deliver());
  }

  #deliver(): void {
    this.#scheduled = false;
    for (const chunk of this.#inbox.splice(0)) {
      if (this.#closed) return;
      if (chunk) {
        this.#sink?.onData(chunk.bytes);
        chunk.done();
      } else {
        this.destroy();
      }
    }
  }

  #close(): void {
    this.#closed = true;
    this.#inbox.length = 0;
    queueMicrotask(() => this.#sink?.onClose(undefined));
  }
}
