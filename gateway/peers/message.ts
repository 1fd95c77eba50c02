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

/** A gateway's load, for the others. Loads are totals, not changes, so repeated or late messages are harmless. */
export interface LoadMessage {
  /** Whether these are all loads; missing ones are then 0. */
  readonly isComplete: boolean;
  /** Requests that the gateway has routed recently, in a unit common to all gateways. */
  readonly requests: number;
  readonly entries: readonly LoadEntry[];
}

const amount = z.number().refine(Number.isFinite);
const messageSchema = z.tuple([
  z.boolean(),
  amount.nonnegative(),
  z.array(z.tuple([z.string(), z.string(), z.int().nonnegative(), amount, amount, amount])),
]);

/** Encodes a message as MessagePack arrays. */
export function encodeLoads({ isComplete, requests, entries }: LoadMessage): Uint8Array {
  const rows = entries.map(({ model, worker, rank, prefillTokens, decodeBlocks, requests }) => [
    model,
    worker,
    rank,
    prefillTokens,
    decodeBlocks,
    requests,
  ]);
  return encode([isComplete, requests, rows]);
}

/** Decodes the output of `encodeLoads`. @returns undefined if it is something else */
export function decodeLoads(bytes: Uint8Array): LoadMessage | undefined {
  try {
    const [isComplete, requests, rows] = messageSchema.parse(decode(bytes));
    const entries = rows.map(([model, worker, rank, prefillTokens, decodeBlocks, requests]) => ({
      model,
      worker,
      rank,
      prefillTokens,
      decodeBlocks,
      requests,
    }));
    return { isComplete, requests, entries };
  } catch {
    return undefined;
  }
}
