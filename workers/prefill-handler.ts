import {
  DeltaEncoder,
  decodeGenerateRequest,
  encodePrefillResponse,
  type GenerateRequest,
  type Handler,
  type Logger,
  type ModelCard,
  PlaneError,
  type ServerCall,
} from "#runtime";
import { checkRequest, engineFailure } from "./check-request.ts";
import type { Delta, Engine, Prefilled } from "./engine.ts";
import type { HeldExports, HeldKv } from "./kv/exports.ts";
import type { ExportEnd } from "./kv/metrics.ts";
import { checkAdapter } from "./lora.ts";
import type { WorkerMetrics } from "./metrics.ts";

export interface PrefillOptions {
  readonly engine: Engine;
  readonly card: ModelCard;
  readonly exports: HeldExports;
  /** How long exported KV is held at most. */
  readonly leaseMs: number;
  readonly metrics: Pick<WorkerMetrics, "requests" | "tokens">;
  onExportEnd(end: ExportEnd): void;
  readonly log: Logger;
}

/** Serves an engine's `exportKv` over the request plane. The KV is held for as long as the call is open. */
export function prefillHandler(options: PrefillOptions): Handler {
  const { engine, card, exports, metrics, log } = options;
  return async (payload, call) => {
    const request = decodeGenerateRequest(payload);
    checkRequest(request, card);
    checkAdapter(request, engine);
    if (request.echoLogprobs)
      throw new PlaneError(
        "invalid_request",
        "The log probabilities of a prompt come from generate, not prefill.",
      );
    if (request.media !== undefined)
      throw new PlaneError(
        "invalid_request",
        "A prompt with media is computed by the worker that answers it.",
      );
    metrics.requests.inc();
    const started = performance.now();
    const { delta, held } = await prefill(engine, request, exports, call.signal).catch((error: unknown) => {
      throw call.signal.aborted ? call.signal.reason : engineFailure(error, request, log);
    });
    if (call.signal.aborted) {
      held?.release();
      return;
    }
    metrics.tokens.inc(delta.tokenIds.length);
    call.send(encodePrefillResponse({ delta: encodeDelta(delta, request), kv: held?.source }));
    const { requestId } = request;
    log.debug("prefilled", {
      request: requestId,
      tokens: request.tokens.length,
      cached: delta.cachedTokens ?? 0,
      bytes: held?.source.bytes ?? 0,
      ms: Math.round(performance.now() - started),
    });
    if (held === undefined) call.end();
    else {
      const end = await release(held, call, options.leaseMs);
      options.onExportEnd(end);
      if (end === "expired")
        log.warn("exported KV expired before its request was over", {
          request: requestId,
          ms: options.leaseMs,
        });
    }
  };
}

async function prefill(
  engine: Engine,
  request: GenerateRequest,
  exports: HeldExports,
  signal: AbortSignal,
): Promise<{ delta: Delta; held: HeldKv | undefined }> {
  const { delta, kv }: Prefilled = await engine.exportKv!(request, signal);
  if (kv === undefined) return { delta, held: undefined };
  try {
    return { delta, held: signal.aborted ? undefined : await exports.hold(kv) };
  } finally {
    kv.release();
  }
}

/** Holds the KV until the call ends or its lease runs out, then frees it. @returns why it is no longer held */
function release(held: HeldKv, call: ServerCall, leaseMs: number): Promise<ExportEnd> {
  const { signal } = call;
  return new Promise((resolve) => {
    const onAbort = () => {
      clearTimeout(lease);
      held.release();
      resolve(signal.reason instanceof PlaneError && signal.reason.code === "cancelled" ? "taken" : "lost");
    };
    const lease = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      held.release();
      call.fail(
        new PlaneError("deadline_exceeded", `The KV was held for ${leaseMs / 1000} s, and is now freed.`),
      );
      resolve("expired");
    }, leaseMs);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

function encodeDelta(delta: Delta, request: GenerateRequest): Uint8Array {
  const encoder = new DeltaEncoder({ logprobs: request.logprobs !== undefined });
  encoder.cachedTokens(delta.cachedTokens ?? 0);
  delta.tokenIds.forEach((token, index) => {
    const logprob = delta.logprobs?.[index];
    encoder.add(token, logprob?.logprob, logprob?.top);
  });
  if (delta.finish !== undefined) encoder.finish(delta.finish, delta.stopToken);
  return encoder.take();
}
