import { randomBytes } from "node:crypto";
import type { KvSource } from "#runtime";
import type { KvAgent } from "./agent.ts";
import { headerBytes, idBytes, invalidateHeader, writeHeader } from "./header.ts";
import type { KvExport } from "./types.ts";

/** KV that is held for another worker to read. */
export interface HeldKv {
  /** Where it can be read. */
  readonly source: KvSource;
  /** Invalidates it, so that a read that runs now is discarded, and frees it. Only the first call counts. */
  release(): void;
}

/** The KV that a prefill worker holds. */
export class HeldExports {
  readonly #format: string;
  readonly #agent: KvAgent;
  /** Exports held, and their size. */
  count = 0;
  bytes = 0;

  /** @param format the card's `kvFormat` */
  constructor(format: string, agent: KvAgent) {
    this.#format = format;
    this.#agent = agent;
  }

  /**
   * Copies an engine's KV into memory that other workers can read.
   * @throws Error if there is not enough memory, or no way to offer it
   */
  async hold(kv: KvExport): Promise<HeldKv> {
    const agent = await this.#agent.open();
    const memory = await this.#agent.memory.take(headerBytes + kv.bytes);
    const { buffer } = memory;
    try {
      await kv.write(buffer.subarray(headerBytes));
    } catch (error) {
      memory.release();
      throw error;
    }
    const id = randomBytes(idBytes);
    writeHeader(buffer, id, kv.bytes);
    this.count++;
    this.bytes += kv.bytes;
    let isHeld = true;
    return {
      source: {
        format: this.#format,
        tokens: kv.tokens,
        bytes: kv.bytes,
        agent: agent.metadata(),
        memory: Buffer.concat([id, memory.descriptor()]),
      },
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        this.count--;
        this.bytes -= kv.bytes;
        invalidateHeader(buffer);
        memory.release();
      },
    };
  }
}
