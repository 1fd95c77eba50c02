import type { RequestPlaneClient } from "#runtime";
import type { ConnectWorker } from "../models/members/worker-connection.ts";
import type { ArrivedCopy } from "../routing/cache/index-copies.ts";
import { type CopyHead, decodeIndexMessage, encodeIndexRequest } from "./index-message.ts";
import { INDEX_ENDPOINT } from "./index-server.ts";

/** Bytes in flight: a few pieces. */
const WINDOW_BYTES = 1024 * 1024;

/** A model's index from another gateway. */
export interface ReceivedIndex extends ArrivedCopy, CopyHead {}

export interface IndexRequestTimes {
  /** Longest time for all of it, in milliseconds. */
  readonly limitMs: number;
  /** Longest time without a message, in milliseconds. */
  readonly silenceMs: number;
}

/**
 * Asks a gateway for what it knows of a model's caches.
 * @throws PlaneError if it cannot be reached or refuses; Error if it is silent for too long or sends something else
 */
export async function requestIndex(
  connect: ConnectWorker,
  address: string,
  model: string,
  { limitMs, silenceMs }: IndexRequestTimes,
): Promise<ReceivedIndex> {
  const client = await connect(address, { connectTimeoutMs: Math.min(limitMs, silenceMs) });
  try {
    return await receive(client, model, { limitMs, silenceMs });
  } finally {
    client.close();
  }
}

function receive(
  client: RequestPlaneClient,
  model: string,
  { limitMs, silenceMs }: IndexRequestTimes,
): Promise<ReceivedIndex> {
  return new Promise((resolve, reject) => {
    let head: CopyHead | undefined;
    const pieces: Uint8Array[] = [];
    const predictions = new Map<number, Uint8Array>();
    let timer: ReturnType<typeof setTimeout>;
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(() => fail(new Error(`it has sent nothing for ${silenceMs} ms`)), silenceMs);
    };
    const fail = (error: Error) => {
      clearTimeout(timer);
      reject(error);
    };
    wait();
    const call = client.call(
      INDEX_ENDPOINT,
      encodeIndexRequest(model),
      {
        onMessage(bytes) {
          wait();
          const message = decodeIndexMessage(bytes);
          if (message?.kind === "head") head = message.head;
          else if (message?.kind === "snapshot") pieces.push(message.piece);
          else if (message?.kind === "predicted") predictions.set(message.index, message.predictions);
          else {
            call.cancel();
            fail(new Error("it has sent an unreadable message"));
          }
        },
        onEnd() {
          if (head === undefined) return fail(new Error("it has sent nothing"));
          clearTimeout(timer);
          resolve({ ...head, pieces, predictions });
        },
        onError: fail,
      },
      { deadlineMs: limitMs, windowBytes: WINDOW_BYTES },
    );
  });
}
