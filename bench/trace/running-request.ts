import type { ScheduledRequest } from "#workers";
import type { BlockNames } from "./block-names.ts";
import type { TraceRequest } from "./trace.ts";

/** Receives the progress of a request. */
export interface RequestListener {
  /** The current time in milliseconds. */
  now(): number;
  onFirst(): void;
  /** Its output needs another block. */
  onBlock(): void;
  onLast(request: RunningRequest): void;
}

/** A request of the trace in flight, and its results. */
export class RunningRequest implements ScheduledRequest {
  readonly promptTokens: number;
  readonly maxTokens: number;
  cachedTokens = 0;
  ttftMs = 0;
  /** The mean over this request. */
  itlMs = 0;
  readonly #index: number;
  readonly #names: BlockNames;
  readonly #listener: RequestListener;
  readonly arrivalMs: number;
  #tokens = 0;

  constructor(request: TraceRequest, index: number, names: BlockNames, listener: RequestListener) {
    this.promptTokens = request.promptTokens;
    this.maxTokens = request.outputTokens;
    this.#index = index;
    this.#names = names;
    this.#listener = listener;
    this.arrivalMs = listener.now();
  }

  hashAt(index: number): number {
    return this.#names.nameAt(this.#index, index);
  }

  onStart(cachedTokens: number): void {
    this.cachedTokens = cachedTokens;
  }

  onToken(isLast: boolean): void {
    this.#tokens++;
    if (this.#tokens === 1) {
      this.ttftMs = this.#elapsed();
      this.#listener.onFirst();
    }
    if ((this.promptTokens + this.#tokens) % this.#names.blockSize === 0) this.#listener.onBlock();
    if (!isLast) return;
    if (this.#tokens > 1) this.itlMs = (this.#elapsed() - this.ttftMs) / (this.#tokens - 1);
    this.#listener.onLast(this);
  }

  #elapsed(): number {
    return this.#listener.now() - this.arrivalMs;
  }
}
