import { create } from "@bufbuild/protobuf";
import { z } from "zod";
import { type KvSource as KvSourceMessage, KvSourceSchema } from "#proto";

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);

export const kvSourceSchema = z.object({
  /** The `kvFormat` or `featureFormat` of the worker's card. */
  format: z.string(),
  /** How many of the prompt's first tokens it covers, or how many tokens the medium becomes. */
  tokens: z.number().int().min(0).max(0xffffffff),
  /** Its size. */
  bytes: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  /** Metadata of the worker's transfer agent. */
  agent: bytes,
  /** Which part of that worker's memory it is. */
  memory: bytes,
});

/**
 * KV of a prefill worker, or features of an encode worker, which it holds for another worker to read: `stator.v1.KvSource`.
 * Gateways pass it on unread.
 */
export type KvSource = z.infer<typeof kvSourceSchema>;

export const encodeKvSource = (source: KvSource): KvSourceMessage =>
  create(KvSourceSchema, { ...source, bytes: BigInt(source.bytes) });

/** A `KvSource` that has yet to be checked. */
export const decodeKvSource = ({ format, tokens, bytes, agent, memory }: KvSourceMessage) => ({
  format,
  tokens,
  bytes: Number(bytes),
  agent,
  memory,
});
