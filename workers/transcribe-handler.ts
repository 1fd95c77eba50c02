import {
  decodeTranscribeRequest,
  encodeTranscribeEvent,
  type Handler,
  type Logger,
  PlaneError,
  type TranscribeRefusal,
  timesRealTime,
} from "#runtime";
import { engineFailure } from "./check-request.ts";
import type { Engine } from "./engine.ts";
import type { WorkerMetrics } from "./metrics.ts";

/** A request that an engine's `transcribe` cannot serve as it is. The message is a sentence for the client. */
export class TranscribeRefusedError extends Error {
  override name = "TranscribeRefusedError";
  readonly field: TranscribeRefusal["field"];

  constructor(field: TranscribeRefusal["field"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.field = field;
  }
}

/** Serves an engine's `transcribe` over the request plane. The engine has that method. */
export function transcribeHandler(engine: Engine, metrics: WorkerMetrics, log: Logger): Handler {
  return async (payload, call) => {
    const request = decodeTranscribeRequest(payload);
    metrics.requests.inc();
    let isDone = false;
    try {
      for await (const event of engine.transcribe!(request, call.signal)) {
        if (call.signal.aborted) return;
        if (event.done !== undefined) {
          isDone = true;
          const { audioSeconds, computeSeconds, tokens } = event.done;
          metrics.tokens.inc(tokens);
          metrics.speech?.onTranscribed(event.done);
          log.info("transcribed", {
            request: request.requestId,
            audioSeconds: rounded(audioSeconds),
            computeSeconds: rounded(computeSeconds),
            timesRealTime: rounded(timesRealTime(event.done)),
          });
        }
        if (!call.send(encodeTranscribeEvent(event))) await call.writable();
      }
      if (isDone) call.end();
      else if (!call.signal.aborted)
        throw new PlaneError("internal", "The engine ended a transcription early.");
    } catch (error) {
      if (call.signal.aborted) return;
      if (!(error instanceof TranscribeRefusedError)) throw engineFailure(error, request, log);
      const { field, message } = error;
      call.send(encodeTranscribeEvent({ text: "", refusal: { field, message } }));
      call.end();
    }
  };
}

/** To hundredths, for logs. */
const rounded = (value: number) => Math.round(value * 100) / 100;
