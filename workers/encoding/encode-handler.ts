import { decodeEncodeRequest, encodeEncodeResponse, type Handler, type Logger } from "#runtime";
import { engineFailure } from "../check-request.ts";
import type { EncodedMedia } from "./encoded-media.ts";

/** Serves an engine's `encode` over the request plane. */
export function encodeHandler(media: EncodedMedia, log: Logger): Handler {
  return async (payload, call) => {
    const request = decodeEncodeRequest(payload);
    const started = performance.now();
    const held = request.media.filter(({ id }) => media.has(id)).length;
    try {
      const encoded = await media.of(request.media, call.signal);
      if (call.signal.aborted) return;
      call.send(encodeEncodeResponse(encoded));
      call.end();
      log.info("encoded", {
        request: request.requestId,
        media: request.media.map(({ kind }) => kind).join(),
        held,
        ms: Math.round(performance.now() - started),
      });
    } catch (error) {
      if (call.signal.aborted) return;
      throw engineFailure(error, request, log);
    }
  };
}
