import type { ScheduledRequest } from "#workers";
import type { Picture, PictureRequest } from "./requests.ts";

export interface RunListener {
  /** Milliseconds. */
  now(): number;
  onFirst(): void;
  /** Its answer needs another block. */
  onBlock(): void;
  onLast(run: PictureRun): void;
  /** Milliseconds between two tokens. */
  onGap(ms: number): void;
}

/** A request on an engine, and its results. */
export class PictureRun implements ScheduledRequest {
  readonly request: PictureRequest;
  readonly promptTokens: number;
  readonly maxTokens: number;
  /** What the gateway has predicted to be cached. */
  readonly predictedTokens: number;
  cachedTokens = 0;
  ttftMs = 0;
  /** The mean over its answer. */
  itlMs = 0;
  /** Of the engine that it runs on. */
  encode: (pictures: readonly Picture[]) => void = () => {};
  /** Pictures whose embeddings came with the request. */
  readonly delivered = new Set<string>();
  readonly #names: readonly number[];
  readonly #blockSize: number;
  readonly #listener: RunListener;
  #tokens = 0;
  #lastMs = 0;

  constructor(
    request: PictureRequest,
    names: readonly number[],
    blockSize: number,
    predictedTokens: number,
    listener: RunListener,
  ) {
    this.request = request;
    this.promptTokens = request.promptTokens;
    this.maxTokens = request.outputTokens;
    this.predictedTokens = predictedTokens;
    this.#names = names;
    this.#blockSize = blockSize;
    this.#listener = listener;
  }

  /** Whether the gateway has predicted tokens that were not cached. */
  get isMispredicted(): boolean {
    return this.predictedTokens > this.cachedTokens;
  }

  hashAt(index: number): number {
    return this.#names[index]!;
  }

  onStart(cachedTokens: number): void {
    this.cachedTokens = cachedTokens;
    this.encode(
      this.request.pictures.filter(
        ({ id, offset, tokens }) => offset + tokens > cachedTokens && !this.delivered.has(id),
      ),
    );
  }

  onToken(isLast: boolean): void {
    const now = this.#listener.now();
    this.#tokens++;
    if (this.#tokens === 1) {
      this.ttftMs = now - this.request.arrivalMs;
      this.#listener.onFirst();
    } else this.#listener.onGap(now - this.#lastMs);
    this.#lastMs = now;
    if ((this.promptTokens + this.#tokens) % this.#blockSize === 0) this.#listener.onBlock();
    if (!isLast) return;
    const first = this.request.arrivalMs + this.ttftMs;
    if (this.#tokens > 1) this.itlMs = (now - first) / (this.#tokens - 1);
    this.#listener.onLast(this);
  }
}
