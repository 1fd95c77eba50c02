import {
  type ClientCall,
  DeltaDecoder,
  encodeGenerateRequest,
  type Logger,
  type PlaneError,
  type Receiver,
} from "#runtime";
import type { WorkerConnection } from "../dispatch/worker-connection.ts";
import { invalidRequest, noWorkerReady, requestTimedOut, workerFailed } from "../errors.ts";
import type { GatewayMetrics } from "../metrics.ts";
import type { Route } from "../routing/model-router.ts";
import type { FinishReason, GenerationJob, GenerationOutput, TokenInfo } from "./job.ts";
import { Detokenizer } from "./postprocess/detokenizer.ts";
import { StopStrings } from "./postprocess/stop-strings.ts";

export interface GenerationContext {
  log: Logger;
  metrics: GatewayMetrics;
  /** Longest time from dispatch to the last token, in milliseconds. */
  timeoutMs: number;
}

/** One decoder serves all generations: a message is read and used up before the next one. */
const decoder = new DeltaDecoder();

/**
 * One answer's life after preprocessing: routed, dispatched, detokenised, and reported to the router: first
 * token, every block of output, and the end, each once. Its callbacks run once for each message of the worker
 * and allocate nothing for a token but its text.
 */
export class Generation implements Receiver {
  readonly #job: GenerationJob;
  readonly #output: GenerationOutput;
  readonly #context: GenerationContext;
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopStrings | undefined;
  readonly #tried: WorkerConnection[] = [];
  #route: Route<WorkerConnection> | undefined;
  #call: ClientCall | undefined;
  #ended = false;
  #started = false;
  #cachedTokens = 0;
  #completionTokens = 0;
  /** Output tokens after which the answer takes up another block. */
  #nextBlockAt: number;
  #dispatchedAt = 0;
  #lastTokenAt = 0;

  constructor(job: GenerationJob, output: GenerationOutput, context: GenerationContext) {
    this.#job = job;
    this.#output = output;
    this.#context = context;
    this.#detokenizer = new Detokenizer(job.model.tokenizer.vocabulary);
    this.#stops = job.stops.length > 0 ? new StopStrings(job.stops) : undefined;
    const { blockSize } = job.model.card;
    this.#nextBlockAt = blockSize - (job.prompt.length % blockSize);
  }

  /** Sends the job to a worker. The output hears of everything else. */
  start(): void {
    const { model, prompt, pinnedWorker, requestId } = this.#job;
    const route = model.router.route({ prompt, requestId, pinnedWorker, excluded: this.#tried });
    const client = route?.worker.client;
    if (route === undefined || client === undefined) {
      route?.free();
      this.#fail(noWorkerReady(model.card.name));
      return;
    }
    this.#route = route;
    this.#dispatchedAt = performance.now();
    const { sampling, maxTokens, ignoreEos, logprobs, echoLogprobs } = this.#job;
    const payload = encodeGenerateRequest({
      requestId,
      model: model.card.name,
      tokens: prompt,
      maxTokens,
      sampling,
      ignoreEos,
      stopTokenIds: [],
      ...(logprobs !== undefined && { logprobs }),
      ...(echoLogprobs && { echoLogprobs }),
    });
    this.#call = client.call("generate", payload, this, { deadlineMs: this.#context.timeoutMs });
  }

  /** Stops the answer: the client has gone. The engine stops within one token, the router forgets the load. */
  cancel(): void {
    if (this.#ended) return;
    this.#context.metrics.clientDisconnects.inc({ model: this.#job.model.card.name });
    this.#close();
    this.#call?.cancel();
  }

  /** Holds the worker back while the client reads more slowly than the engine writes. */
  pause(): void {
    this.#call?.pause();
  }

  resume(): void {
    this.#call?.resume();
  }

  onMessage(message: Uint8Array): void {
    if (this.#ended) return;
    decoder.read(message);
    if (!this.#started) this.#onStart();
    if (decoder.cachedTokens !== undefined) this.#cachedTokens = decoder.cachedTokens;
    if (decoder.echo) this.#output.onEcho(readTokens());
    else if (decoder.count > 0) this.#onTokens();
    if (this.#ended || decoder.finish === undefined) return;
    if (decoder.stopToken !== undefined) this.#completionTokens++;
    this.#finish(decoder.finish);
  }

  onEnd(): void {
    if (!this.#ended) this.#fail(workerFailed("The worker ended the call without a finish reason."));
  }

  onError(error: PlaneError): void {
    if (this.#ended) return;
    const { worker } = this.#route!;
    if (!this.#started && error.code === "draining") {
      // It never began there, so nothing is lost: the next worker may.
      this.#tried.push(worker);
      this.#route?.free();
      this.start();
      return;
    }
    this.#context.log.warn("worker failed a request", {
      request: this.#job.requestId,
      worker: worker.instance.name,
      code: error.code,
      reason: error.message,
    });
    this.#fail(this.#toApiError(error));
  }

  #onStart(): void {
    this.#started = true;
    const { worker, overlapBlocks } = this.#route!;
    const { prompt, model } = this.#job;
    model.metrics.overlapBlocks.observe(overlapBlocks);
    this.#output.onStart({
      worker: worker.instance.name,
      workerId: worker.instance.id,
      overlapBlocks,
      promptBlocks: Math.floor(prompt.length / model.card.blockSize),
    });
  }

  #onTokens(): void {
    this.#observeLatency();
    let text = "";
    for (let index = 0; index < decoder.count; index++)
      text += this.#detokenizer.push(decoder.tokens[index]!);
    this.#completionTokens += decoder.count;
    while (this.#completionTokens >= this.#nextBlockAt) {
      this.#route!.grow(1);
      this.#nextBlockAt += this.#job.model.card.blockSize;
    }
    const tokens = this.#job.logprobs === undefined ? undefined : readTokens();
    if (this.#stops === undefined) {
      if (text !== "" || tokens !== undefined) this.#output.onText(text, tokens);
      return;
    }
    text = this.#stops.push(text);
    if (text !== "" || tokens !== undefined) this.#output.onText(text, tokens);
    if (!this.#stops.stopped) return;
    this.#finish("stop");
    this.#call?.cancel();
  }

  #observeLatency(): void {
    const now = performance.now();
    const metrics = this.#job.model.metrics;
    if (this.#lastTokenAt === 0) {
      this.#route!.firstToken();
      metrics.timeToFirstToken.observe((now - this.#dispatchedAt) / 1000);
    } else {
      metrics.interTokenLatency.observe((now - this.#lastTokenAt) / 1000);
    }
    this.#lastTokenAt = now;
  }

  #finish(finishReason: FinishReason): void {
    if (!this.#stops?.stopped) {
      const rest = this.#stops === undefined ? this.#detokenizer.flush() : this.#flushStops();
      if (rest !== "") this.#output.onText(rest, this.#job.logprobs === undefined ? undefined : []);
    }
    this.#close();
    const { prompt, model } = this.#job;
    const cachedTokens = this.#cachedTokens;
    const completionTokens = this.#completionTokens;
    model.metrics.inputTokens.observe(prompt.length);
    model.metrics.outputTokens.observe(completionTokens);
    model.metrics.outputTokensTotal.inc(completionTokens);
    model.metrics.cachedTokensTotal.inc(cachedTokens);
    this.#output.onEnd({
      finishReason: this.#stops?.stopped ? "stop" : finishReason,
      usage: { promptTokens: prompt.length, completionTokens, cachedTokens },
    });
  }

  #flushStops(): string {
    const stops = this.#stops!;
    return stops.push(this.#detokenizer.flush()) + stops.flush();
  }

  #fail(error: Error): void {
    this.#close();
    this.#output.onError(error);
  }

  /** The one place where an answer ends for the router. */
  #close(): void {
    this.#ended = true;
    this.#route?.free();
  }

  #toApiError(error: PlaneError): Error {
    switch (error.code) {
      case "deadline_exceeded":
        return requestTimedOut(this.#context.timeoutMs / 1000);
      case "invalid_request":
        return invalidRequest(error.message);
      case "overloaded":
        return noWorkerReady(this.#job.model.card.name);
      default:
        return workerFailed(error);
    }
  }
}

function readTokens(): TokenInfo[] {
  return Array.from({ length: decoder.count }, (_, index) => ({
    id: decoder.tokens[index]!,
    logprob: decoder.hasLogprobs ? decoder.logprobs[index]! : Number.NaN,
    top: Array.from(
      { length: decoder.topCount(index) },
      (_, rank) => [decoder.topId(index, rank), decoder.topLogprob(index, rank)] as const,
    ),
  }));
}
