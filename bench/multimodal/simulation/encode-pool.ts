import { EncoderTable } from "#gateway";
import type { Timeline } from "../../disagg/timeline.ts";
import { type EncodeTiming, encodeMs } from "./encode-timing.ts";
import type { PlacedPicture } from "./requests.ts";

export interface EmbeddingTransfer {
  readonly latencyMs: number;
  readonly bytesPerToken: number;
  /** In GB/s. */
  readonly bandwidth: number;
}

/** Encode engines, one GPU each, which encode one picture after the other, and the gateway's table of them. */
export class EncodePool {
  readonly #table = new EncoderTable<undefined>();
  readonly #timeline: Timeline;
  readonly #timing: EncodeTiming;
  readonly #transfer: EmbeddingTransfer;
  /** When each is free again. */
  readonly #freeMs: Map<string, number>;
  encodes = 0;
  busyMs = 0;
  /** Whether promises have been resolved whose effects are still to come. */
  hasNews = false;

  constructor(count: number, timeline: Timeline, timing: EncodeTiming, transfer: EmbeddingTransfer) {
    this.#timeline = timeline;
    this.#timing = timing;
    this.#transfer = transfer;
    this.#freeMs = new Map(Array.from({ length: count }, (_, index) => [`encoder-${index}`, 0]));
  }

  /** Has pictures encoded, each once, and their embeddings sent. @param then called when the engine has them */
  deliver(pictures: readonly PlacedPicture[], then: () => void): void {
    const tokens = pictures.reduce((sum, picture) => sum + picture.tokens, 0);
    const { latencyMs, bytesPerToken, bandwidth } = this.#transfer;
    const transferMs = latencyMs + (tokens * bytesPerToken) / (bandwidth * 1e6);
    const arrive = () => this.#timeline.at(this.#timeline.now + transferMs, then);
    const waited = pictures.flatMap((picture) => this.#encodingOf(picture) ?? []);
    if (waited.length === 0) arrive();
    else void Promise.all(waited).then(arrive);
  }

  /** @returns undefined if it is encoded already */
  #encodingOf(picture: PlacedPicture): Promise<undefined> | undefined {
    const { id, tokens, megapixels } = picture;
    const pending = this.#table.pending(id);
    if (pending !== undefined) return pending.result;
    // The table's clock is the real one, within whose few seconds nothing is forgotten.
    if (this.#table.holderOf(id) !== undefined) return undefined;
    const name = this.#table.choose(id, [...this.#freeMs.keys()]);
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const ms = encodeMs(this.#timing, megapixels);
    const endMs = Math.max(this.#timeline.now, this.#freeMs.get(name)!) + ms;
    this.#freeMs.set(name, endMs);
    this.encodes++;
    this.busyMs += ms;
    this.#timeline.at(endMs, () => {
      resolve(undefined);
      this.hasNews = true;
    });
    this.#table.begin(id, name, tokens, { result: promise, join() {}, leave() {} });
    return promise;
  }
}
