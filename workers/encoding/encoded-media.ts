import type { EncodedMedium, KvSource, MediumToEncode } from "#runtime";
import type { Encoded } from "../engine.ts";
import { SharedWork } from "../shared-work.ts";

/** Something that other workers can read for as long as it is held. */
export interface Held {
  readonly source: KvSource;
  /** Frees it; a read that runs now is discarded. */
  release(): void;
}

export interface EncodedMediaOptions {
  /** How much is held at most, in bytes. */
  readonly capacity: number;
  encode(media: readonly MediumToEncode[], signal: AbortSignal): Promise<readonly Encoded[]>;
  /** Copies features to where other workers can read them. */
  hold(features: Uint8Array, tokens: number): Promise<Held>;
  /** Called for each medium that was asked for. */
  onMedium(outcome: MediumOutcome): void;
}

export type MediumOutcome = "encoded" | "cached" | "refused" | "missing";

/** What was made of a medium. */
interface Kept {
  readonly result: Extract<EncodedMedium, { kind: "features" | "text" }>;
  readonly bytes: number;
  release(): void;
}

/** Media that are encoded now. */
type Pending = SharedWork<ReadonlyMap<string, EncodedMedium>>;

/**
 * What an encode worker has made of media, so that each is encoded once, however many requests have it. The least recently
 * used ones leave when there is no room.
 */
export class EncodedMedia {
  readonly #options: EncodedMediaOptions;
  /** By the media's ids, least recently used first. */
  readonly #kept = new Map<string, Kept>();
  readonly #pending = new Map<string, Pending>();
  /** What is held, in bytes. */
  bytes = 0;

  constructor(options: EncodedMediaOptions) {
    this.#options = options;
  }

  /** How many media are held. */
  get count(): number {
    return this.#kept.size;
  }

  has(id: string): boolean {
    return this.#kept.has(id);
  }

  /**
   * @returns one result for each medium
   * @throws the engine's error if it fails, or the signal's reason
   */
  async of(media: readonly MediumToEncode[], signal: AbortSignal): Promise<EncodedMedium[]> {
    signal.throwIfAborted();
    const found = new Map<string, EncodedMedium>();
    const wanted = new Map<string, MediumToEncode>();
    for (const medium of media) {
      const kept = this.#use(medium.id);
      if (kept !== undefined) {
        found.set(medium.id, kept.result);
        this.#options.onMedium("cached");
      } else if (this.#pending.has(medium.id) || medium.data.length > 0) wanted.set(medium.id, medium);
      else this.#options.onMedium("missing");
    }
    const fresh = [...wanted.values()].filter(({ id }) => !this.#pending.has(id));
    if (fresh.length > 0) this.#begin(fresh);
    const all = new Set([...wanted.keys()].map((id) => this.#pending.get(id)!));
    await Promise.all(
      Array.from(all, async (pending) => {
        for (const [id, result] of await pending.wait(signal)) found.set(id, result);
      }),
    );
    return media.map(({ id }) => found.get(id) ?? { kind: "missing" });
  }

  /** Frees all. */
  clear(): void {
    for (const id of [...this.#kept.keys()]) this.#drop(id);
  }

  #use(id: string): Kept | undefined {
    const kept = this.#kept.get(id);
    if (kept === undefined) return undefined;
    this.#kept.delete(id);
    this.#kept.set(id, kept);
    return kept;
  }

  #begin(media: readonly MediumToEncode[]): void {
    const pending: Pending = new SharedWork(
      (signal) => this.#encode(media, signal),
      () => {
        for (const { id } of media) if (this.#pending.get(id) === pending) this.#pending.delete(id);
      },
    );
    for (const { id } of media) this.#pending.set(id, pending);
  }

  async #encode(
    media: readonly MediumToEncode[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, EncodedMedium>> {
    const encoded = await this.#options.encode(media, signal);
    if (encoded.length !== media.length)
      throw new Error(`The engine encoded ${encoded.length} media in place of ${media.length}.`);
    const results = new Map<string, EncodedMedium>();
    for (const [index, { id }] of media.entries()) results.set(id, await this.#keep(id, encoded[index]!));
    return results;
  }

  async #keep(id: string, encoded: Encoded): Promise<EncodedMedium> {
    this.#options.onMedium(encoded.kind === "refused" ? "refused" : "encoded");
    if (encoded.kind === "refused") return encoded;
    checkEncoded(encoded);
    const kept = await this.#hold(encoded);
    this.#kept.set(id, kept);
    this.bytes += kept.bytes;
    // The newest one stays, whatever its size, because a worker is about to read it.
    for (const [oldest] of this.#kept) {
      if (this.bytes <= this.#options.capacity || oldest === id) break;
      this.#drop(oldest);
    }
    return kept.result;
  }

  async #hold(encoded: Extract<Encoded, { kind: "features" | "text" }>): Promise<Kept> {
    if (encoded.kind === "text")
      return { result: encoded, bytes: encoded.text.length * BYTES_PER_CHARACTER, release() {} };
    const { features, tokens } = encoded;
    const held = await this.#options.hold(features, tokens);
    return {
      result: { kind: "features", source: held.source },
      bytes: features.length,
      release: () => held.release(),
    };
  }

  #drop(id: string): void {
    const kept = this.#kept.get(id);
    if (kept === undefined) return;
    this.#kept.delete(id);
    this.bytes -= kept.bytes;
    kept.release();
  }
}

const BYTES_PER_CHARACTER = 2;

/** Engines need not be written in TypeScript. @throws Error that says what is wrong */
function checkEncoded(encoded: Extract<Encoded, { kind: "features" | "text" }>): void {
  const isValid =
    encoded.kind === "text"
      ? typeof encoded.text === "string"
      : encoded.kind === "features" &&
        encoded.features instanceof Uint8Array &&
        encoded.features.length > 0 &&
        Number.isInteger(encoded.tokens);
  if (!isValid)
    throw new Error(
      "The engine's encode must return, for each medium, { kind: 'features', features, tokens }, { kind: 'text', text } or { kind: 'refused', message }.",
    );
}
