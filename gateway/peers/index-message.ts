import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type IndexHead, IndexPartSchema, type IndexRank, IndexRequestSchema } from "#proto";
import type { CopiedRank } from "../routing/cache/index-copies.ts";

/** What a model's index is a copy of. */
export interface CopyHead {
  /** Tokens per block. */
  readonly blockSize: number;
  /** Whether KV events or workers have confirmed the block size. */
  readonly isBlockSizeConfirmed: boolean;
  readonly ranks: readonly CopiedRank[];
}

/** A message of the stream that answers a request for an index: first the head, then the rest in any order. */
export type IndexMessage =
  | { readonly kind: "head"; readonly head: CopyHead }
  /** A piece of the router core's snapshot. */
  | { readonly kind: "snapshot"; readonly piece: Uint8Array }
  | { readonly kind: "predicted"; readonly index: number; readonly predictions: Uint8Array };

/** Encodes the request for a model's index: `stator.v1.IndexRequest`. */
export const encodeIndexRequest = (model: string): Uint8Array =>
  toBinary(IndexRequestSchema, create(IndexRequestSchema, { model }));

/** The model's name. @throws Error if the bytes are not a request */
export const decodeIndexRequest = (bytes: Uint8Array): string => fromBinary(IndexRequestSchema, bytes).model;

/** Encodes a message as `stator.v1.IndexPart`. */
export function encodeIndexMessage(message: IndexMessage): Uint8Array {
  return toBinary(IndexPartSchema, create(IndexPartSchema, { part: partOf(message) }));
}

/** Decodes the output of `encodeIndexMessage`, and copies its bytes. @returns undefined if it is something else */
export function decodeIndexMessage(bytes: Uint8Array): IndexMessage | undefined {
  try {
    const { part } = fromBinary(IndexPartSchema, bytes);
    switch (part.case) {
      case "head":
        return { kind: "head", head: headOf(part.value) };
      case "snapshot":
        return { kind: "snapshot", piece: part.value.slice() };
      case "predicted": {
        const { index, predictions } = part.value;
        return { kind: "predicted", index, predictions: predictions.slice() };
      }
      default:
        return undefined;
    }
  } catch {
    return undefined;
  }
}

function partOf(message: IndexMessage) {
  switch (message.kind) {
    case "head": {
      const { blockSize, isBlockSizeConfirmed, ranks } = message.head;
      return {
        case: "head",
        value: { blockSize, isBlockSizeConfirmed, ranks: ranks.map(rankValue) },
      } as const;
    }
    case "snapshot":
      return { case: "snapshot", value: message.piece } as const;
    case "predicted":
      return {
        case: "predicted",
        value: { index: message.index, predictions: message.predictions },
      } as const;
  }
}

const rankValue = ({ position, ...rank }: CopiedRank) => ({
  ...rank,
  position: position && { sequence: BigInt(position.sequence), digest: position.digest },
});

const headOf = ({ blockSize, isBlockSizeConfirmed, ranks }: IndexHead): CopyHead => ({
  blockSize,
  isBlockSizeConfirmed,
  ranks: ranks.map(rankOf),
});

const rankOf = ({ position, group, ...rank }: IndexRank): CopiedRank => ({
  index: rank.index,
  worker: rank.worker,
  rank: rank.rank,
  startedAt: rank.startedAt,
  position: position && { sequence: Number(position.sequence), digest: position.digest.slice() },
  group: group && {
    followed: group.followed,
    isFirstWindowed: group.isFirstWindowed,
    hasFirst: group.hasFirst,
  },
  // Whatever comes, the load must stay a number.
  recentPrefillTokens: Number.isFinite(rank.recentPrefillTokens) ? rank.recentPrefillTokens : 0,
});
