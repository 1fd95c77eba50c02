import type { ScheduledRequest } from "#workers";
import type { BlockNames } from "../trace/block-names.ts";
import type { TraceRequest } from "../trace/trace.ts";

/** A request of the trace, on however many workers it runs. */
export interface Traced {
  readonly request: TraceRequest;
  readonly index: number;
  readonly arrivalMs: number;
  /** Tokens of the answer so far, and when the first and the last of them came. */
  tokens: number;
  firstMs: number;
  lastMs: number;
  /** Prompt tokens that were cached where the prompt was computed. */
  cachedTokens: number;
}

/** What one worker does of it. */
export interface Part {
  readonly promptTokens: number;
  readonly maxTokens: number;
  readonly importedTokens?: number;
}

/** A part of a request on a worker. */
export class RequestPart implements ScheduledRequest {
  readonly promptTokens: number;
  readonly maxTokens: number;
  readonly importedTokens?: number;
  readonly #traced: Traced;
  readonly #names: BlockNames;
  readonly #onToken: (isLast: boolean) => void;

  constructor(
    traced: Traced,
    { promptTokens, maxTokens, importedTokens }: Part,
    names: BlockNames,
    onToken: (isLast: boolean) => void,
  ) {
    this.promptTokens = promptTokens;
    this.maxTokens = maxTokens;
    if (importedTokens !== undefined) this.importedTokens = importedTokens;
    this.#traced = traced;
    this.#names = names;
    this.#onToken = onToken;
  }

  hashAt(index: number): number {
    return this.#names.nameAt(this.#traced.index, index);
  }

  onStart(cachedTokens: number): void {
    if (this.importedTokens === undefined) this.#traced.cachedTokens = cachedTokens;
  }

  onToken(isLast: boolean): void {
    this.#onToken(isLast);
  }
}
