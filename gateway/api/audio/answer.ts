import type { Context } from "hono";
import { timesRealTime } from "#runtime";
import type { GatewayEnv } from "../../access/env.ts";
import { type ApiError, clientLeft, toApiError } from "../../kernel/errors.ts";
import type { EventStream } from "../../kernel/event-stream.ts";
import {
  type TranscriptionJob,
  type TranscriptionOutput,
  type TranscriptionResult,
  TranscriptionTransfer,
} from "../../requests/tokens/transcription-transfer.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { FallbackError } from "../fallback-error.ts";
import type { RequestMeta } from "../openai/request.ts";
import { placementHeaders } from "../placement-headers.ts";
import { usageOf } from "./format.ts";

/** A transcription to answer with. */
export interface TranscriptionPlan {
  readonly job: TranscriptionJob;
  readonly request: RequestMeta;
  /** Makes the answer of a request that is not streamed. */
  format(result: TranscriptionResult, headers: Record<string, string>): Promise<Response>;
}

/**
 * Has a worker transcribe.
 * @throws ApiError if that fails before the answer has begun; FallbackError if another model should answer instead
 */
export function answerTranscription(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  plan: TranscriptionPlan,
): Promise<Response> {
  return new Promise((resolve, reject) =>
    new TranscriptionAnswer(context, dependencies, plan, resolve, reject).start(),
  );
}

class TranscriptionAnswer implements TranscriptionOutput {
  readonly #context: Context<GatewayEnv>;
  readonly #dependencies: GatewayDependencies;
  readonly #plan: TranscriptionPlan;
  readonly #resolve: (response: Response) => void;
  readonly #reject: (error: Error) => void;
  readonly #transfer: TranscriptionTransfer;
  readonly #signal: AbortSignal;
  /** Undefined before the first event, and if the answer is not streamed. */
  #stream: EventStream | undefined;

  constructor(
    context: Context<GatewayEnv>,
    dependencies: GatewayDependencies,
    plan: TranscriptionPlan,
    resolve: (response: Response) => void,
    reject: (error: Error) => void,
  ) {
    const { requestOptions: options, warnings, running } = dependencies;
    this.#context = context;
    this.#dependencies = dependencies;
    this.#plan = plan;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = context.req.raw.signal;
    this.#transfer = new TranscriptionTransfer(plan.job, this, { options, warnings, running });
  }

  start(): void {
    this.#signal.addEventListener("abort", this.#abort);
    if (this.#signal.aborted) this.#abort();
    else this.#transfer.life.start();
  }

  onText(text: string): void {
    if (!this.#write({ type: "transcript.text.delta", delta: text })) this.#transfer.pause();
  }

  onEnd(result: TranscriptionResult): void {
    this.#count(result);
    if (this.#plan.job.isStreamed) {
      this.#write({ type: "transcript.text.done", text: result.text, usage: usageOf(result) });
      this.#stream?.end();
      this.#settle(200, result);
      return;
    }
    this.#plan.format(result, this.#headers).then(
      (response) => {
        this.#settle(200, result);
        this.#resolve(response);
      },
      (error: unknown) => this.onError(toApiError(error)),
    );
  }

  /** Before the first event, an error is a regular response; later, it is the stream's last event. */
  onError(error: ApiError): void {
    this.#settle(error.status);
    if (this.#stream === undefined) this.#reject(error);
    else {
      this.#write(error);
      this.#stream.end();
    }
  }

  onFallback(error: ApiError): void {
    this.#signal.removeEventListener("abort", this.#abort);
    this.#plan.request.onFallback();
    this.#reject(new FallbackError(error));
  }

  /** The client has disconnected. */
  readonly #abort = (): void => {
    this.#transfer.life.cancel();
    this.#settle(499);
    this.#reject(clientLeft());
  };

  /** @returns false if the client reads too slowly */
  #write(event: object): boolean {
    this.#stream ??= this.#open();
    return this.#stream.write(`data: ${JSON.stringify(event)}\n\n`);
  }

  #open(): EventStream {
    const stream = this.#dependencies.openEventStream(this.#context, this.#headers);
    stream.onWritable = () => this.#transfer.resume();
    stream.onAbort = this.#abort;
    this.#resolve(stream.response);
    return stream;
  }

  get #headers(): Record<string, string> {
    const { explain, headers } = this.#plan.request;
    return explain ? { ...headers, ...placementHeaders(this.#transfer.placement) } : headers;
  }

  #settle(status: number, result?: TranscriptionResult): void {
    this.#signal.removeEventListener("abort", this.#abort);
    this.#plan.request.onSettled(status, result && { promptTokens: 0, completionTokens: result.tokens });
  }

  #count(result: TranscriptionResult): void {
    const { audio } = this.#dependencies.metrics;
    const labels = { model: this.#plan.job.model.name };
    audio.seconds.inc(labels, result.audioSeconds);
    audio.timesRealTime.observe(labels, timesRealTime(result));
  }
}
