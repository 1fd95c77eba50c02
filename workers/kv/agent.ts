import type { Peer, TransferAgent } from "#native";
import { type Logger, messageOf } from "#runtime";
import { MemoryPool } from "./memory-pool.ts";
import { unusable } from "./transfer-errors.ts";

/** What is needed of a connection to another worker's agent. */
export type KvPeer = Pick<Peer, "kind" | "choice" | "read" | typeof Symbol.dispose>;

/** What is needed of a transfer agent. */
export interface KvTransferAgent
  extends Pick<TransferAgent, "kind" | "choice" | "metadata" | "allocate" | typeof Symbol.asyncDispose> {
  connect(metadata: Uint8Array): Promise<KvPeer>;
}

/** Connections to prefill workers that are kept for the next transfer. */
const MOST_PEERS = 64;
/** Memory that is kept registered for the next transfers: that of 2,000 tokens of an 8-billion-parameter model. */
const MOST_FREE_BYTES = 256 * 1024 * 1024;

/**
 * A worker's transfer agent, which is opened when it is first needed: a worker that neither exports nor imports KV costs
 * nothing.
 */
export class KvAgent {
  readonly #openAgent: () => Promise<KvTransferAgent>;
  readonly #log: Logger;
  #opening: Promise<KvTransferAgent> | undefined;
  #agent: KvTransferAgent | undefined;
  #failure: string | undefined;
  /** By their metadata, least recently used first. */
  readonly #peers = new Map<string, Promise<KvPeer>>();
  /** Memory that peers can read, and that can be read into. */
  readonly memory = new MemoryPool(async (bytes) => (await this.open()).allocate(bytes), MOST_FREE_BYTES);

  constructor(openAgent: () => Promise<KvTransferAgent>, log: Logger) {
    this.#openAgent = openAgent;
    this.#log = log;
  }

  /** The kind of transfer in use and why, or why there is none; undefined before it is needed. */
  get status(): { readonly kind: string; readonly choice: string } | undefined {
    if (this.#failure !== undefined) return { kind: "none", choice: this.#failure };
    return this.#agent && { kind: this.#agent.kind, choice: this.#agent.choice };
  }

  /** @throws KvUnusableError `unsupported` if no kind of transfer can be used here */
  async open(): Promise<KvTransferAgent> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  /** @throws KvUnusableError if the prefill worker cannot be reached */
  async connect(metadata: Uint8Array): Promise<KvPeer> {
    const key = Buffer.from(metadata).toString("latin1");
    const known = this.#peers.get(key);
    const peer = known ?? this.#connect(metadata);
    this.#peers.delete(key);
    this.#peers.set(key, peer);
    if (known === undefined) {
      peer.catch(() => this.#peers.delete(key));
      for (const [oldest] of this.#peers) {
        if (this.#peers.size <= MOST_PEERS) break;
        void this.#forget(oldest);
      }
    }
    return peer;
  }

  /** Ends the connection to a prefill worker, because a transfer has failed. */
  disconnect(metadata: Uint8Array): Promise<void> {
    return this.#forget(Buffer.from(metadata).toString("latin1"));
  }

  async close(): Promise<void> {
    this.#peers.clear();
    this.memory.close();
    const agent = await this.#opening?.catch(() => undefined);
    await agent?.[Symbol.asyncDispose]();
  }

  async #open(): Promise<KvTransferAgent> {
    try {
      this.#agent = await this.#openAgent();
      this.#log.info("KV transfer is ready", { kind: this.#agent.kind, choice: this.#agent.choice });
      return this.#agent;
    } catch (error) {
      this.#failure = messageOf(error);
      this.#log.error("KV cannot be transferred", { reason: this.#failure });
      throw unusable(error, "unsupported");
    }
  }

  async #connect(metadata: Uint8Array): Promise<KvPeer> {
    const agent = await this.open();
    try {
      const peer = await agent.connect(metadata);
      this.#log.debug("connected to a prefill worker", { kind: peer.kind, choice: peer.choice });
      return peer;
    } catch (error) {
      throw unusable(error, "unreachable");
    }
  }

  async #forget(key: string): Promise<void> {
    const peer = this.#peers.get(key);
    this.#peers.delete(key);
    const connected = await peer?.catch(() => undefined);
    connected?.[Symbol.dispose]();
  }
}
