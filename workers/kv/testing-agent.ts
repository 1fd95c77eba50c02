import type { Range, Registration } from "#native";
import { randomId } from "#runtime";
import type { KvPeer, KvTransferAgent } from "./agent.ts";

const memories = new Map<string, Uint8Array>();
const utf8 = { encoder: new TextEncoder(), decoder: new TextDecoder() };

/** What a test does to the reads of an agent. */
export interface ReadHooks {
  /** Runs before each read of this part of the peer's memory. */
  beforeRead?(range: Range, signal: AbortSignal | undefined): void | Promise<void>;
  /** Runs before each connection. */
  beforeConnect?(): void | Promise<void>;
}

/**
 * An agent whose peers are in this process.
 */
export class TestingAgent implements KvTransferAgent {
  readonly kind = "tcp";
  readonly choice = "It is a test.";
  readonly hooks: ReadHooks;
  readonly #name = randomId();

  constructor(hooks: ReadHooks = {}) {
    this.hooks = hooks;
  }

  /** Bytes that are allocated now. */
  get allocated(): number {
    const own = [...memories].filter(([key]) => key.startsWith(`${this.#name}/`));
    return own.reduce((sum, [, { length }]) => sum + length, 0);
  }

  metadata(): Uint8Array {
    return utf8.encoder.encode(this.#name);
  }

  async allocate(bytes: number): Promise<Registration> {
    const buffer = new Uint8Array(bytes);
    const key = `${this.#name}/${randomId()}`;
    memories.set(key, buffer);
    return {
      buffer,
      length: bytes,
      settled: async () => {},
      descriptor: () => utf8.encoder.encode(key),
      [Symbol.dispose]: () => void memories.delete(key),
    };
  }

  async connect(): Promise<KvPeer> {
    await this.hooks.beforeConnect?.();
    const { kind, choice, hooks } = this;
    return {
      kind,
      choice,
      async read({ local, localRanges = [], remote, remoteRanges = [], signal }) {
        const [from, to] = [remoteRanges[0]!, localRanges[0]!];
        await hooks.beforeRead?.(from, signal);
        const memory = memories.get(utf8.decoder.decode(remote));
        if (memory === undefined)
          throw Object.assign(new Error("There is no such memory."), { code: "refused" });
        if (from.offset + from.length > memory.length)
          throw Object.assign(new Error("The memory is shorter."), { code: "out_of_range" });
        local.buffer!.set(memory.subarray(from.offset, from.offset + from.length), to.offset);
        return { bytes: from.length, microseconds: 0 };
      },
      [Symbol.dispose]: () => {},
    };
  }

  /** Leaves the memory, so that tests see what has not been given back. */
  async [Symbol.asyncDispose](): Promise<void> {}
}
