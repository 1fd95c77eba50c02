import {
  type ClientCall,
  DeltaDecoder,
  encodeGenerateRequest,
  type PlaneError,
  type Receiver,
} from "#runtime";
import { type BoundTo, foreignToken, noWorkerReady, workerFailed } from "../../kernel/errors.ts";
import type { Warnings } from "../../kernel/warnings.ts";
import { type CallBounds, callError, timeLeft } from "../../models/members/call-error.ts";
import type { WorkerConnection } from "../../models/members/worker-connection.ts";
import type { Applicant, QueueTicket } from "../../routing/queue/route-source.ts";
import type { Route, RouteOutcome, RouteRequest } from "../../routing/route.ts";
import { Detokenizer } from "./detokenizer.ts";
import { findForeignToken } from "./foreign-token.ts";
import type { FinishReason, GenerationJob, GenerationOutput, TokenInfo, Usage } from "./job.ts";
import { StopStrings } from "./stop-strings.ts";

export interface GenerationContext {
  warnings: Warnings;
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
export class Generation implements Receiver, Applicant<WorkerConnection> {
  readonly #job: GenerationJob;
  readonly #output: GenerationOutput;
  readonly #context: GenerationContext;
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopStrings | undefined;
  readonly #tried: WorkerConnection[] = [];
  #route: Route<WorkerConnection> | undefined;
  #call: ClientCall | undefined;
  /** While the request waits for a route. */
  #ticket: QueueTicket | undefined;
  #ended = false;
  #started = false;
  /** Undefined for an engine that does not tell. */
  #cachedTokens: number | undefined;
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

  /** Asks for a worker, at once or through the queue. The output hears of everything else. */
  start(): void {
    this.#ticket = this.#job.model.admission.apply(this.#request, this);
  }

  /** What it has taken until now: nothing before a worker has begun. */
  get usage(): Usage {
    return {
      promptTokens: this.#started ? this.#job.prompt.length : 0,
      completionTokens: this.#completionTokens,
      cachedTokens: this.#cachedTokens ?? 0,
    };
  }

  onRoute(route: Route<WorkerConnection>): void {
    this.#ticket = undefined;
    this.#route = route;
    const { client, instance } = route.worker;
    const { model, prompt, requestId } = this.#job;
    if (client === undefined) {
      this.#fail(noWorkerReady(model.card.name, this.#boundTo));
      return;
    }
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
      ...(instance.card.dataParallelSize > 1 && { dataParallelRank: route.rank }),
    });
    this.#call = client.call("generate", payload, this, { deadlineMs: timeLeft(this.#bounds) });
  }

  onRefused(error: Error): void {
    this.#ticket = undefined;
    this.#fail(error);
  }

  /** Stops the answer: nobody waits for it any more. The engine stops within one token, the router forgets the load. */
  cancel(): void {
    if (this.#ended) return;
    this.#ticket?.leave();
    this.#close("cancelled");
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
    const foreign = findForeignToken(decoder, this.#job.model.card.vocabularySize);
    if (foreign !== undefined) this.#refuseToken(foreign);
    else if (decoder.echo) this.#output.onEcho(readTokens(decoder.count));
    else if (decoder.count > 0) this.#onTokens();
    if (this.#ended || decoder.finish === undefined) return;
    if (decoder.stopToken === undefined) this.#finish(decoder.finish);
    else if (this.#completionTokens < this.#job.maxTokens) {
      this.#completionTokens++;
      this.#finish(decoder.finish);
    } else this.#finish("length");
  }

  onEnd(): void {
    if (!this.#ended)
      this.#fail(workerFailed("The worker ended the call without a finish reason.", this.#boundTo));
  }

  onError(error: PlaneError): void {
    if (this.#ended) return;
    const { worker } = this.#route!;
    if (!this.#started && error.code === "draining") {
      // It never began there, so nothing is lost: the next worker may.
      this.#tried.push(worker);
      this.#route?.free("moved");
      this.start();
      return;
    }
    const failure = callError(error, this.#bounds, this.#boundTo);
    // That a client gave itself too little time says nothing about the worker.
    if (failure.code !== "deadline_exceeded") {
      const { name } = worker.instance;
      this.#context.warnings.warn(`${name} ${error.code}`, "worker failed a request", {
        request: this.#job.requestId,
        worker: name,
        code: error.code,
        reason: error.message,
      });
    }
    this.#fail(failure);
  }

  #onStart(): void {
    this.#started = true;
    const { worker, rank, overlapBlocks } = this.#route!;
    const { prompt, model } = this.#job;
    model.metrics.overlapBlocks.observe(overlapBlocks);
    this.#output.onStart({
      worker: worker.instance.name,
      workerId: worker.instance.id,
      dataParallelRank: rank,
      overlapBlocks,
      promptBlocks: Math.floor(prompt.length / model.card.blockSize),
    });
  }

  #onTokens(): void {
    this.#observeLatency();
    const room = this.#job.maxTokens - this.#completionTokens;
    const count = Math.min(decoder.count, room);
    let text = "";
    for (let index = 0; index < count; index++) text += this.#detokenizer.push(decoder.tokens[index]!);
    this.#completionTokens += count;
    while (this.#completionTokens >= this.#nextBlockAt) {
      this.#route!.grow(1);
      this.#nextBlockAt += this.#job.model.card.blockSize;
    }
    const tokens = this.#job.logprobs === undefined ? undefined : readTokens(count);
    if (this.#stops !== undefined) text = this.#stops.push(text);
    if (text !== "" || tokens !== undefined) this.#output.onText(text, tokens);
    if (this.#stops?.stopped) this.#cut("stop");
    // Not every engine counts: the answer ends here, whatever more would come.
    else if (decoder.count > room || (count === room && decoder.finish === undefined)) this.#cut("length");
  }

  /** Ends the answer, and with it the engine's work on it. */
  #cut(reason: FinishReason): void {
    this.#finish(reason);
    this.#call?.cancel();
  }

  #refuseToken(token: number): void {
    const { instance } = this.#route!.worker;
    const { card } = this.#job.model;
    this.#context.warnings.warn(
      `${instance.name} foreign token`,
      "a worker sent a token id that its model's vocabulary does not have",
      {
        request: this.#job.requestId,
        worker: instance.name,
        token,
        model: card.name,
        vocabularySize: card.vocabularySize,
      },
    );
    this.#fail(foreignToken(instance.name, token, card));
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
    // Half a character that the detokenizer still holds is no text: the answer ends before it.
    const rest = this.#stops?.flush() ?? "";
    if (rest !== "") this.#output.onText(rest, this.#job.logprobs === undefined ? undefined : []);
    if (this.#cachedTokens !== undefined) this.#route!.report(this.#cachedTokens);
    this.#close("finished");
    const { prompt, model } = this.#job;
    const cachedTokens = this.#cachedTokens ?? 0;
    const completionTokens = this.#completionTokens;
    model.metrics.inputTokens.observe(prompt.length);
    model.metrics.outputTokens.observe(completionTokens);
    model.metrics.outputTokensTotal.inc(completionTokens);
    model.metrics.cachedTokensTotal.inc(cachedTokens);
    this.#output.onEnd({
      finishReason: this.#stops?.stopped ? "stop" : finishReason,
      usage: this.usage,
    });
  }

  #fail(error: Error): void {
    this.#close("failed");
    this.#output.onError(error);
  }

  /** The one place where an answer ends for the router. */
  #close(outcome: RouteOutcome): void {
    this.#ended = true;
    this.#route?.free(outcome);
  }

  get #request(): RouteRequest<WorkerConnection> {
    const { prompt, preferences, requestId } = this.#job;
    return { prompt, requestId, preferences, excluded: this.#tried };
  }

  get #boundTo(): BoundTo | undefined {
    return this.#job.model.admission.boundTo(this.#request);
  }

  get #bounds(): CallBounds {
    const { model, preferences } = this.#job;
    const { timeoutMs } = this.#context;
    return { model: model.card.name, timeoutMs, deadlineAt: preferences.deadlineAt };
  }
}

/** The first tokens of the message. */
function readTokens(count: number): TokenInfo[] {
  return Array.from({ length: count }, (_, index) => ({
    id: decoder.tokens[index]!,
    logprob: decoder.hasLogprobs ? decoder.logprobs[index]! : Number.NaN,
    top: Array.from(
      { length: decoder.topCount(index) },
      (_, rank) => [decoder.topId(index, rank), decoder.topLogprob(index, rank)] as const,
    ),
  }));
}
