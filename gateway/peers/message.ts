import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { LoadReportSchema, type ModelLoad, ModelLoadSchema, RankLoadSchema } from "#proto";
import type { RankLoad } from "../routing/load/shared-load.ts";

/** Load that a gateway has booked on one rank of a worker. */
export interface LoadEntry extends RankLoad {
  readonly model: string;
  /** The worker's shared id. */
  readonly worker: string;
  readonly rank: number;
  /** Tokens that were booked for prefill since the last message. */
  readonly newPrefillTokens: number;
}

/** A gateway's load, for the others. Loads are totals, not changes, so repeated or late messages are harmless. */
export interface LoadMessage {
  /** Whether these are all loads; missing ones are then 0. */
  readonly isComplete: boolean;
  /** Requests that the gateway has routed recently, in a unit common to all gateways. */
  readonly requests: number;
  readonly entries: readonly LoadEntry[];
}

/** Encodes a message as the protobuf message `stator.v1.LoadReport`. */
export function encodeLoads({ isComplete, requests, entries }: LoadMessage): Uint8Array {
  const models = new Map<string, ModelLoad>();
  for (const { model, ...rank } of entries) {
    const known = models.get(model) ?? create(ModelLoadSchema, { model });
    models.set(model, known);
    known.ranks.push(create(RankLoadSchema, rank));
  }
  const report = create(LoadReportSchema, { isComplete, requests, models: [...models.values()] });
  return toBinary(LoadReportSchema, report);
}

/** Decodes the output of `encodeLoads`. @returns undefined if it is something else */
export function decodeLoads(bytes: Uint8Array): LoadMessage | undefined {
  try {
    const { isComplete, requests, models } = fromBinary(LoadReportSchema, bytes);
    const entries = models.flatMap(({ model, ranks }) =>
      ranks.map(({ worker, rank, prefillTokens, decodeBlocks, requests, newPrefillTokens }) => ({
        model,
        worker,
        rank,
        prefillTokens,
        decodeBlocks,
        requests,
        newPrefillTokens,
      })),
    );
    return isAmount(requests) && entries.every(isSound) ? { isComplete, requests, entries } : undefined;
  } catch {
    return undefined;
  }
}

const isAmount = (value: number) => Number.isFinite(value) && value >= 0;

const isSound = ({ prefillTokens, decodeBlocks, requests, newPrefillTokens }: LoadEntry) =>
  Number.isFinite(prefillTokens + decodeBlocks + requests) && isAmount(newPrefillTokens);
