import {
  decodeEmbedRequest,
  decodeTokenizeRequest,
  encodeEmbeddings,
  encodeVocabulary,
  type Handler,
  type Logger,
  tokensToBytes,
  transcribeEndpoint,
} from "#runtime";
import type { Engine } from "./engine.ts";
import type { WorkerMetrics } from "./metrics.ts";
import type { RunningRequests } from "./running-requests.ts";
import { transcribeHandler } from "./transcribe-handler.ts";

/** The endpoints of what an engine offers besides answers: tokens, vectors, text of speech, its vocabulary. */
export function engineHandlers(
  engine: Engine,
  requests: RunningRequests,
  metrics: WorkerMetrics,
  log: Logger,
): Record<string, Handler> {
  return {
    ...(engine.transcribe && {
      [transcribeEndpoint]: requests.counted(transcribeHandler(engine, metrics, log)),
    }),
    ...(engine.tokenize && { tokenize: tokenizeHandler(engine) }),
    ...(engine.embed && { embed: requests.counted(embedHandler(engine)) }),
    ...(engine.vocabulary && { vocabulary: vocabularyHandler(engine) }),
  };
}

function tokenizeHandler(engine: Engine): Handler {
  return async (payload, call) => {
    const { text } = decodeTokenizeRequest(payload);
    await sendInParts(call, tokensToBytes(await engine.tokenize!(text)));
  };
}

function embedHandler(engine: Engine): Handler {
  return async (payload, call) => {
    const vectors = await engine.embed!(decodeEmbedRequest(payload), call.signal);
    await sendInParts(call, encodeEmbeddings(vectors));
  };
}

function vocabularyHandler(engine: Engine): Handler {
  return (_payload, call) => sendInParts(call, encodeVocabulary(engine.vocabulary!()));
}

/** Most bytes in one message, far below any limit of the request plane. */
const PART_BYTES = 256 * 1024;

async function sendInParts(call: Parameters<Handler>[1], bytes: Uint8Array): Promise<void> {
  for (let start = 0; start < bytes.length; start += PART_BYTES) {
    if (!call.send(bytes.subarray(start, start + PART_BYTES))) await call.writable();
    if (call.signal.aborted) return;
  }
  call.end();
}
