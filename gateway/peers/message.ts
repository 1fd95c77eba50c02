import { decode, encode } from "@msgpack/msgpack";
import { z } from "zod";
import type { RankLoad } from "../routing/load/shared-load.ts";

/** Load that a gateway has booked on one rank of a worker. */
export interface LoadEntry extends RankLoad {
  readonly model: string;
  /** The worker's shared id. */
  readonly worker: string;
  readonly rank: number;
}

/** What a gateway tells the others of its load. Loads are sums, so that a repeated or late message does no harm. */
export interface LoadMessage {
  /** Whether these are all loads, so that those that are missing are 0. */
  readonly isWhole: boolean;
  /** Requests that the gateway has routed lately, in any unit that all gateways share. */
  readonly requests: number;
  readonly entries: readonly LoadEntry[];
}

const amount = z.number().refine(Number.isFinite);
const messageSchema = z.tuple([
  z.boolean(),
  amount.nonnegative(),
  z.array(z.tuple([z.string(), z.string(), z.int().nonnegative(), amount, amount, amount])),
]);

/** A message as bytes: msgpack, as arrays. */
export function encodeLoads({ isWhole, requests, entries }: LoadMessage): Uint8Array {
  const rows = entries.map(({ model, worker, rank, prefillTokens, decodeBlocks, requests }) => [
    model,
    worker,
    rank,
    prefillTokens,
    decodeBlocks,
    requests,
  ]);
  return encode([isWhole, requests, rows]);
}

/** Decodes the output of `encodeLoads`. @returns undefined if the bytes are not such a message */
export function decodeLoads(bytes: Uint8Array): LoadMessage | undefined {
  try {
    const [isWhole, requests, rows] = messageSchema.parse(decode(bytes));
    const entries = rows.map(([model, worker, rank, prefillTokens, decodeBlocks, requests]) => ({
      model,
      worker,
      rank,
      prefillTokens,
      decodeBlocks,
      requests,
    }));
    return { isWhole, requests, entries };
  } catch {
    return undefined;
  }
}
