import { encode } from "@msgpack/msgpack";
import type { Tier } from "../../router-wasm/index.ts";
import { type Hashes, type TokenRuns, tokensOf } from "./trace.ts";

/** An event in vLLM's format; a stored event without tokens stores copies. */
export interface WireEvent {
  type: "BlockStored" | "BlockRemoved" | "AllBlocksCleared";
  hashes?: Hashes;
  parent?: string;
  tokens?: TokenRuns;
  tier?: Exclude<Tier, "shared">;
  /** Whether its fields are in an array instead of a map. */
  isArray?: boolean;
}

const MEDIA = { device: "GPU", host: "CPU", disk: "STORAGE" };

/** msgpack `[timestamp, events, data_parallel_rank]`, in hexadecimal. */
export function encodeBatch(events: WireEvent[], rank: number, blockSize: number): string {
  const bytes = encode([1_764_000_000.25, events.map((event) => wireOf(event, blockSize)), rank], {
    useBigInt64: true,
  });
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function wireOf({ type, hashes = [], parent, tokens, tier, isArray }: WireEvent, blockSize: number): unknown {
  const block_hashes = hashes.map(BigInt);
  const parent_block_hash = parent === undefined ? null : BigInt(parent);
  const token_ids = Array.from(tokensOf(tokens ?? []));
  const medium = tier === undefined ? null : MEDIA[tier];
  if (type === "AllBlocksCleared") return isArray ? [type] : { type };
  if (type === "BlockRemoved") return isArray ? [type, block_hashes, medium] : { type, block_hashes, medium };
  if (isArray) return [type, block_hashes, parent_block_hash, token_ids, blockSize, null, medium];
  return { type, block_hashes, parent_block_hash, token_ids, block_size: blockSize, lora_id: null, medium };
}
