import {
  DeltaEncoder,
  decodeGenerateRequest,
  type Handler,
  type Logger,
  type ModelCard,
  PlaneError,
  type ServerCall,
} from "#runtime";
import type { Delta, Engine } from "./engine.ts";
import type { WorkerMetrics } from "./metrics.ts";

/** Serves an engine's `generate` over the request plane. */
export function generateHandler(
  engine: Engine,
  { contextLength, vocabularySize, dataParallelSize }: ModelCard,
  metrics: WorkerMetrics,
  log: Logger,
): Handler {
  return async (payload, call) => {
    const request = decodeGenerateRequest(payload);
    if (request.tokens.length === 0 || request.tokens.length >= contextLength) {
      throw new PlaneError(
        "invalid_request",
        `The prompt has ${request.tokens.length} tokens; this model accepts 1 to ${contextLength - 1}.`,
      );
    }
    if (request.tokens.some((token) => token >= vocabularySize)) {
      throw new PlaneError("invalid_request", "The prompt has token ids that are not in the vocabulary.");
    }
    if (request.dataParallelRank !== undefined && request.dataParallelRank >= dataParallelSize) {
      throw new PlaneError(
        "invalid_request",
        `There is no data-parallel rank ${request.dataParallelRank}; this worker has ${dataParallelSize}, from 0.`,
      );
    }
    metrics.requests.inc();
    const writer = new DeltaWriter(call, request.logprobs !== undefined);
    try {
      for await (const delta of engine.generate(request, call.signal)) {
        if (call.signal.aborted) break;
        metrics.tokens.inc(delta.echo ? 0 : delta.tokenIds.length);
        if (!writer.write(delta)) await call.writable();
        else if (writer.gathered >= MOST_GATHERED) await nextTurn();
      }
      writer.end();
    } catch (error) {
      if (call.signal.aborted) return;
      log.error("the engine failed a request", {
        request: request.requestId,
        reason: error instanceof Error ? error.stack : String(error),
      });
      // The answer can continue elsewhere from these tokens.
      writer.flush();
      throw new PlaneError("internal", "The engine failed.", { cause: error });
    }
  };
}

/**
 * Most deltas in a row before yielding to the event loop: an engine that never waits would keep the process from
 * noticing that its answer has been cancelled.
 */
const MOST_GATHERED = 256;

/** Most tokens in one message. */
const MOST_TOKENS = 4_096;

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/**
 * Gathers the deltas that an engine yields at once into one message. The message is flushed after the engine's settled
 * promises have run, not at the end of the event loop's turn: that is when the request plane sends the messages of all
 * calls, so this one would wait for another turn.
 */
class DeltaWriter {
  readonly #call: ServerCall;
  readonly #encoder: DeltaEncoder;
  #isScheduled = false;
  #isWritable = true;
  /** Deltas since the last message. */
  gathered = 0;

  constructor(call: ServerCall, logprobs: boolean) {
    this.#call = call;
    this.#encoder = new DeltaEncoder({ logprobs });
  }

  /** Returns false if the reader lags: then wait for the call to be writable before the next delta. */
  write(delta: Delta): boolean {
    if (delta.echo) this.flush();
    if (delta.cachedTokens !== undefined) this.#encoder.cachedTokens(delta.cachedTokens);
    for (let index = 0; index < delta.tokenIds.length; index++) {
      if (this.#encoder.count === MOST_TOKENS) this.#take(delta.echo);
      const logprob = delta.logprobs?.[index];
      this.#encoder.add(delta.tokenIds[index]!, logprob?.logprob, logprob?.top);
    }
    if (delta.finish !== undefined) this.#encoder.finish(delta.finish, delta.stopToken);
    this.gathered++;
    if (delta.echo) this.#take(true);
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      process.nextTick(this.#onReady);
    }
    return this.#isWritable;
  }

  end(): void {
    this.flush();
    this.#call.end();
  }

  readonly #onReady = (): void => {
    this.#isScheduled = false;
    this.flush();
  };

  /** Sends the gathered deltas. */
  flush(): void {
    if (this.gathered > 0) this.#take(false);
  }

  #take(isEcho = false): void {
    this.gathered = 0;
    this.#isWritable = this.#call.send(isEcho ? this.#encoder.takeEcho() : this.#encoder.take());
  }
}
