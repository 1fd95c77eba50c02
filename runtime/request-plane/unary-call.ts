import type { PlaneError, RequestPlaneClient } from "./types.ts";

export interface UnaryCallOptions {
  deadlineMs: number;
  /** Cancels the call. */
  signal?: AbortSignal;
}

/**
 * A call with a single answer, which may arrive in several messages.
 * @throws PlaneError from the worker or the connection
 */
export function unaryCall(
  client: RequestPlaneClient,
  endpoint: string,
  payload: Uint8Array,
  { deadlineMs, signal }: UnaryCallOptions,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = [];
    const abort = () => call.cancel();
    const settle = (action: () => void) => {
      signal?.removeEventListener("abort", abort);
      action();
    };
    const call = client.call(
      endpoint,
      payload,
      {
        onMessage: (message) => void parts.push(message.slice()),
        onEnd: () => settle(() => resolve(concatenate(parts))),
        onError: (error: PlaneError) => settle(() => reject(error)),
      },
      { deadlineMs },
    );
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
  });
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}
