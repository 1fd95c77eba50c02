import type { StepTiming } from "#workers";
import { type CacheListener, SimulatedWorker, type WorkerShape } from "../../trace/simulated-worker.ts";
import { type EncodeTiming, encodeMs } from "./encode-timing.ts";
import type { PictureRun } from "./picture-run.ts";
import type { Picture } from "./requests.ts";

export interface EngineOptions {
  readonly shape: WorkerShape;
  readonly timing: StepTiming;
  readonly encode: EncodeTiming;
  /** Placeholders of the pictures whose embeddings an engine keeps; vLLM's default is a step's most tokens. */
  readonly encoderCacheTokens: number;
}

/**
 * A mock engine with a vision encoder on the same GPU: what pictures a step begins are encoded in it, before its tokens,
 * so that all of the step's answers wait for them.
 */
export class PictureEngine {
  readonly #worker: SimulatedWorker;
  readonly #options: EngineOptions;
  /** Placeholders by picture, the least recently used first. */
  readonly #cache = new Map<string, number>();
  #cachedTokens = 0;
  /** Of the current step. */
  #megapixels = 0;
  encodes = 0;

  constructor(options: EngineOptions, listener: CacheListener) {
    this.#options = options;
    this.#worker = new SimulatedWorker(options.shape, options.timing, listener);
  }

  get isStepping(): boolean {
    return this.#worker.isStepping;
  }

  add(run: PictureRun): void {
    run.encode = (pictures) => this.#encode(pictures);
    this.#worker.add(run);
  }

  /** Begins a step. @returns its duration in milliseconds; undefined if there is nothing to do */
  begin(): number | undefined {
    this.#megapixels = 0;
    const duration = this.#worker.begin();
    if (duration === undefined) return undefined;
    return duration + encodeMs(this.#options.encode, this.#megapixels);
  }

  finish(): void {
    this.#worker.finish();
  }

  #encode(pictures: readonly Picture[]): void {
    for (const { id, megapixels, tokens } of pictures) {
      const known = this.#cache.delete(id);
      this.#cache.set(id, tokens);
      if (known) continue;
      this.encodes++;
      this.#megapixels += megapixels;
      this.#cachedTokens += tokens;
      this.#evict();
    }
  }

  #evict(): void {
    for (const [id, tokens] of this.#cache) {
      if (this.#cachedTokens <= this.#options.encoderCacheTokens || this.#cache.size === 1) return;
      this.#cache.delete(id);
      this.#cachedTokens -= tokens;
    }
  }
}
