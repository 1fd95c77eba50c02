import {
  DeltaEncoder,
  decodeGenerateRequest,
  type GenerateRequest,
  type Handler,
  type Logger,
  type ModelCard,
  type ServerCall,
} from "#runtime";
import { checkRequest, engineFailure } from "./check-request.ts";
import type { Engine, EngineRequest } from "./engine.ts";
import type { ImportedDelta } from "./kv/importer.ts";
import type { KvService } from "./kv/serve.ts";
import { checkAdapter } from "./lora.ts";
import type { WorkerMetrics } from "./metrics.ts";

/**
 * Serves an engine's `generate` over the request plane.
 * @param imports answers the requests that name exported KV, and reads features of media; without it, the engine computes both
 */
export function generateHandler(
  engine: Engine,
  card: ModelCard,
  metrics: Pick<WorkerMetrics, "requests" | "tokens">,
  log: Logger,
  imports?: Pick<KvService, "importer" | "features">,
): Handler {
  const answer = (request: EngineRequest, signal: AbortSignal): AsyncIterable<ImportedDelta> =>
    imports !== undefined && request.kvSource !== undefined
      ? imports.importer.generate({ ...request, kvSource: request.kvSource }, signal)
      : engine.generate(request, signal);
  const resolved = (request: GenerateRequest, signal: AbortSignal): Promise<EngineRequest> | EngineRequest =>
    request.media === undefined || imports === undefined
      ? request
      : imports.features.resolve(request, signal);
  return async (payload, call) => {
    const request = decodeGenerateRequest(payload);
    checkRequest(request, card);
    checkAdapter(request, engine);
    metrics.requests.inc();
    const writer = new DeltaWriter(call, request.logprobs !== undefined);
    try {
      const ready = resolved(request, call.signal);
      // A request without media does not wait.
      const input = ready instanceof Promise ? await ready : ready;
      for await (const delta of answer(input, call.signal)) {
        if (call.signal.aborted) break;
        metrics.tokens.inc(delta.echo ? 0 : delta.tokenIds.length);
        if (!writer.write(delta)) await call.writable();
        else if (writer.gathered >= MOST_GATHERED) await nextTurn();
      }
      writer.end();
    } catch (error) {
      if (call.signal.aborted) return;
      // The answer can continue elsewhere from these tokens.
      writer.flush();
      throw engineFailure(error, request, log);
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
  write(delta: ImportedDelta): boolean {
    if (delta.echo) this.flush();
    if (delta.transfer !== undefined) this.#encoder.transfer(delta.transfer);
    if (delta.cachedTokens !== undefined) this.#encoder.cachedTokens(delta.cachedTokens);
    if (delta.mediaTokens !== undefined) this.#encoder.mediaTokens(delta.mediaTokens);
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
