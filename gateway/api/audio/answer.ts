import type { Context } from "hono";
import { timesRealTime } from "#runtime";
import type { GatewayEnv } from "../../access/env.ts";
import { type ApiError, clientLeft, toApiError } from "../../kernel/errors.ts";
import {
  type TranscriptionJob,
  type TranscriptionResult,
  TranscriptionTransfer,
} from "../../requests/tokens/transcription-transfer.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { FallbackError } from "../fallback-error.ts";
import type { RequestMeta } from "../openai/request.ts";
import { usageOf } from "./format.ts";

/**
 * Has a worker transcribe, and counts what it has done.
 * @param format makes the answer of a request that is not streamed
 * @throws ApiError if that fails before the answer has begun; FallbackError if another model should answer instead
 */
export function answerTranscription(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  job: TranscriptionJob,
  request: RequestMeta,
  format: (result: TranscriptionResult) => Promise<Response>,
): Promise<Response> {
  const { requestOptions: options, warnings, running } = dependencies;
  const { signal } = context.req.raw;
  return new Promise((resolve, reject) => {
    const stream = job.isStreamed ? new TranscriptStream(context, dependencies, request.headers) : undefined;
    const settle = (status: number, result?: TranscriptionResult) => {
      signal.removeEventListener("abort", onAbort);
      request.onSettled(status, result && { promptTokens: 0, completionTokens: result.tokens });
    };
    const onFailure = (error: ApiError) => {
      settle(error.status);
      if (stream?.hasBegun) stream.fail(error);
      else reject(error);
    };
    const transfer = new TranscriptionTransfer(
      job,
      {
        onText(text) {
          if (!stream!.hasBegun) begin();
          if (!stream!.write({ type: "transcript.text.delta", delta: text })) transfer.pause();
        },
        onEnd(result) {
          count(result);
          if (stream === undefined) {
            format(result).then(
              (response) => {
                settle(200, result);
                resolve(response);
              },
              (error: unknown) => onFailure(toApiError(error)),
            );
            return;
          }
          if (!stream.hasBegun) begin();
          stream.write({ type: "transcript.text.done", text: result.text, usage: usageOf(result) });
          stream.end();
          settle(200, result);
        },
        onError: onFailure,
        onFallback(error) {
          signal.removeEventListener("abort", onAbort);
          request.onFallback();
          reject(new FallbackError(error));
        },
      },
      { options, warnings, running },
    );
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    else transfer.life.start();

    function begin(): void {
      resolve(stream!.open({ onWritable: () => transfer.resume(), onAbort }));
    }

    function onAbort(): void {
      transfer.life.cancel();
      settle(499);
      reject(clientLeft());
    }
  });

  function count(result: TranscriptionResult): void {
    const { audio } = dependencies.metrics;
    const labels = { model: job.model.name };
    audio.seconds.inc(labels, result.audioSeconds);
    audio.timesRealTime.observe(labels, timesRealTime(result));
  }
}

/** A transcription as server-sent events, with OpenAI's `transcript.text.*`. */
class TranscriptStream {
  readonly #open: () => ReturnType<GatewayDependencies["openEventStream"]>;
  #stream: ReturnType<GatewayDependencies["openEventStream"]> | undefined;

  constructor(context: Context, { openEventStream }: GatewayDependencies, headers: Record<string, string>) {
    this.#open = () => openEventStream(context, headers);
  }

  get hasBegun(): boolean {
    return this.#stream !== undefined;
  }

  open(listeners: { onWritable(): void; onAbort(): void }): Response {
    this.#stream = this.#open();
    Object.assign(this.#stream, listeners);
    return this.#stream.response;
  }

  /** @returns false if the client reads too slowly */
  write(event: object): boolean {
    return this.#stream?.write(`data: ${JSON.stringify(event)}\n\n`) ?? true;
  }

  fail(error: ApiError): void {
    this.#stream?.write(`data: ${JSON.stringify(error)}\n\n`);
    this.end();
  }

  end(): void {
    this.#stream?.end();
  }
}
