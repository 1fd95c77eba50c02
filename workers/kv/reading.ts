import type { Range, Registration, TransferKind } from "#native";
import { type KvSource, untilAborted } from "#runtime";
import type { KvAgent, KvPeer } from "./agent.ts";
import { checkHeader, headerBytes, idBytes, invalidateHeader } from "./header.ts";
import type { PooledMemory } from "./memory-pool.ts";
import { unusable } from "./transfer-errors.ts";
import { type KvImport, KvUnusableError } from "./types.ts";

/** Limits on a transfer, in milliseconds. */
export interface TransferBounds {
  /** For the whole transfer. */
  readonly timeoutMs: number;
  /** For reading, without any progress. */
  readonly stallMs: number;
}

/** One request's KV on its way from a prefill worker. */
export class KvReading implements KvImport {
  readonly tokens: number;
  readonly bytes: number;
  /** How many bytes have been read. */
  received = 0;
  /** How they travel, once that is known. */
  kind: TransferKind | undefined;
  readonly #source: KvSource;
  readonly #agent: KvAgent;
  readonly #bounds: TransferBounds;
  readonly #controller = new AbortController();
  readonly #timeout: NodeJS.Timeout;
  /** Runs while something is read. */
  #stall: NodeJS.Timeout | undefined;
  readonly #requestSignal: AbortSignal;
  #memory: PooledMemory | undefined;

  constructor(source: KvSource, agent: KvAgent, bounds: TransferBounds, signal: AbortSignal) {
    this.#source = source;
    this.#agent = agent;
    this.#bounds = bounds;
    this.#requestSignal = signal;
    this.tokens = source.tokens;
    this.bytes = source.bytes;
    this.#timeout = this.#giveUpAfter(bounds.timeoutMs, "took longer than");
    signal.addEventListener("abort", this.#onRequestEnd, { once: true });
    if (signal.aborted) this.#onRequestEnd();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  async read(): Promise<Uint8Array> {
    this.signal.throwIfAborted();
    this.#stall = this.#giveUpAfter(this.#bounds.stallMs, "made no progress for");
    try {
      return await this.#read();
    } finally {
      clearTimeout(this.#stall);
      this.#stall = undefined;
    }
  }

  /** Settles like `step`, unless the transfer takes too long, or the request ends. */
  within<T>(step: Promise<T>): Promise<T> {
    return untilAborted(step, this.signal);
  }

  /** Ends the transfer, whatever its state, and frees its memory. */
  close(): void {
    clearTimeout(this.#timeout);
    clearTimeout(this.#stall);
    this.#stall = undefined;
    this.#requestSignal.removeEventListener("abort", this.#onRequestEnd);
    this.#controller.abort(new KvUnusableError("failed", "The transfer is over."));
    this.#memory?.release();
    this.#memory = undefined;
  }

  async #read(): Promise<Uint8Array> {
    const { agent: metadata, memory } = this.#source;
    const [id, remote] = [memory.subarray(0, idBytes), memory.subarray(idBytes)];
    const peer = await this.within(this.#agent.connect(metadata));
    this.kind = peer.kind;
    this.#progress();
    const size = headerBytes + this.bytes;
    const local = await this.#agent.memory.take(size);
    this.#memory = local;
    const head = { offset: 0, length: headerBytes };
    const copy = async (range: Range) => {
      await this.within(peer.read(this.#transfer(local.registration, remote, range)));
      this.#progress();
    };
    try {
      invalidateHeader(local.buffer);
      await copy(head);
      checkHeader(local.buffer, id, this.bytes);
      await inLanes(pieces(headerBytes, size), copy);
      this.received = this.bytes;
      invalidateHeader(local.buffer);
      // Only this second look tells that the memory was not freed before its last byte had been read.
      await copy(head);
      checkHeader(local.buffer, id, this.bytes);
    } catch (error) {
      const failure = unusable(this.signal.aborted ? this.signal.reason : error, "failed");
      if (failure.outcome === "unreachable" || failure.outcome === "stalled")
        void this.#agent.disconnect(metadata);
      // The end of the request is not about the KV.
      throw this.signal.aborted ? this.signal.reason : failure;
    }
    return local.buffer.subarray(headerBytes);
  }

  #transfer(local: Registration, remote: Uint8Array, range: Range): Parameters<KvPeer["read"]>[0] {
    return { local, localRanges: [range], remote, remoteRanges: [range], signal: this.signal };
  }

  #giveUpAfter(ms: number, what: string): NodeJS.Timeout {
    return setTimeout(() => {
      this.#controller.abort(new KvUnusableError("stalled", `The transfer ${what} ${ms / 1000} s.`));
    }, ms);
  }

  #progress(): void {
    this.#stall?.refresh();
  }

  readonly #onRequestEnd = (): void => {
    this.#controller.abort(this.#requestSignal.reason);
  };
}

/** Read at once; what has arrived counts as progress. */
const PIECE_BYTES = 16 * 1024 * 1024;
/** How many pieces are read at the same time. */
const LANES = 2;

function* pieces(start: number, end: number): Generator<Range> {
  for (let offset = start; offset < end; offset += PIECE_BYTES)
    yield { offset, length: Math.min(PIECE_BYTES, end - offset) };
}

/** Copies all pieces, a few at the same time; after a failure, none of them runs any more. */
async function inLanes(pieces: Iterator<Range>, copy: (range: Range) => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  const lane = async () => {
    for (let next = pieces.next(); !next.done && failures.length === 0; next = pieces.next())
      await copy(next.value).catch((error: unknown) => failures.push(error));
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  if (failures.length > 0) throw failures[0];
}
