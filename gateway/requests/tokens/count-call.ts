import {
  DeltaDecoder,
  encodeGenerateRequest,
  type GenerateRequest,
  PlaneError,
  type RequestPlaneClient,
} from "#runtime";
import type { CallLimits } from "./single-answer.ts";

/**
 * Asks a worker how many tokens the media of a prompt become: it gets the prompt with no token to generate, and is
 * cancelled as soon as it has said so.
 * @returns the tokens of all of them together
 * @throws PlaneError from the worker or the connection, or the signal's reason
 */
export function countCall(
  client: RequestPlaneClient,
  request: GenerateRequest,
  { deadlineMs, signal }: CallLimits,
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const decoder = new DeltaDecoder();
  const payload = encodeGenerateRequest({ ...request, maxTokens: 0 });
  const call = client.call(
    "generate",
    payload,
    {
      onMessage(message) {
        decoder.read(message);
        const { mediaTokens, finish, count } = decoder;
        // They are said with or before the first token.
        if (mediaTokens === undefined && finish === undefined && count === 0) return;
        resolve(mediaTokens ?? 0);
        call.cancel();
      },
      onEnd: () => reject(new PlaneError("internal", "The worker ended the call without an answer.")),
      onError: reject,
    },
    { deadlineMs },
  );
  const leave = () => {
    call.cancel();
    reject(signal.reason);
  };
  signal.addEventListener("abort", leave, { once: true });
  return promise.finally(() => signal.removeEventListener("abort", leave));
}
