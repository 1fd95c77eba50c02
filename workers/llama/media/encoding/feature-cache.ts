import { SharedWork } from "../../../shared-work.ts";

/**
 * Features of media that were encoded lately, so that a medium is encoded once, however many requests have it. The least
 * recently used ones leave when there is no room.
 */
export class FeatureCache {
  readonly #capacity: number;
  /** Least recently used first. */
  readonly #kept = new Map<string, Uint8Array>();
  readonly #pending = new Map<string, SharedWork<Uint8Array>>();
  #bytes = 0;

  /** @param capacity in bytes */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /**
   * @param id equal only for equal media
   * @param encode is cancelled once nobody waits for it
   * @throws its error, or the signal's reason
   */
  async of(
    id: string,
    encode: (signal: AbortSignal) => Promise<Uint8Array>,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const kept = this.#kept.get(id);
    if (kept !== undefined) {
      this.#kept.delete(id);
      this.#kept.set(id, kept);
      return kept;
    }
    return (this.#pending.get(id) ?? this.#begin(id, encode)).wait(signal);
  }

  #begin(id: string, encode: (signal: AbortSignal) => Promise<Uint8Array>): SharedWork<Uint8Array> {
    const pending: SharedWork<Uint8Array> = new SharedWork(
      (cancelled) => this.#encode(id, encode, cancelled),
      () => {
        if (this.#pending.get(id) === pending) this.#pending.delete(id);
      },
    );
    this.#pending.set(id, pending);
    return pending;
  }

  async #encode(
    id: string,
    encode: (signal: AbortSignal) => Promise<Uint8Array>,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const features = await encode(signal);
    // Another one can have encoded it meanwhile, if this one was cancelled.
    this.#bytes += features.length - (this.#kept.get(id)?.length ?? 0);
    this.#kept.set(id, features);
    for (const [oldest, { length }] of this.#kept) {
      if (this.#bytes <= this.#capacity) break;
      this.#kept.delete(oldest);
      this.#bytes -= length;
    }
    return features;
  }
}
