import { decode, encode } from "@msgpack/msgpack";
import { readExtraKeys, withStatedSalt, writeExtraKeys } from "./extra-keys.ts";
import type { KvEvent, KvEventBatch, KvStoredEvent, KvTier, UnreadableKvEvent } from "./types.ts";

/** A batch without its sequence number, which travels outside the payload. */
export type KvEventPayload = Omit<KvEventBatch, "sequence">;

export interface DecodedKvEvents extends KvEventPayload {
  /** Events that could not be read. */
  unreadable: UnreadableKvEvent[];
}

/** Bytes that are not a batch of KV events. */
export class KvEventError extends Error {
  /** The problem, as half a sentence. */
  readonly what: string;

  constructor(what: string, options?: ErrorOptions) {
    super(`The KV events are malformed: ${what}.`, options);
    this.name = "KvEventError";
    this.what = what;
  }
}

/** A batch in vLLM's wire format, with events as maps, as vLLM 0.32 sends them. */
export function encodeKvEvents({ timestamp, events, dataParallelRank }: KvEventPayload): Uint8Array {
  return encode([timestamp, events.map(toWire), dataParallelRank], { useBigInt64: true });
}

/**
 * Decodes vLLM's wire format: events as maps with a `type` (vLLM 0.32) or as arrays `[tag, fields…]` (older), hashes
 * as integers or byte strings. Of a byte string it uses the last 8 bytes, big-endian, as vLLM itself shortens longer
 * hashes. `local_hashes` is our own: 8 bytes for each block, little-endian. Unknown fields and events are skipped, as are events about an unknown medium, whose blocks cannot be relied
 * on. Events are independent: an unreadable one is listed, and the others are decoded.
 *
 * @throws KvEventError if the bytes are not a valid batch
 */
export function decodeKvEvents(payload: Uint8Array): DecodedKvEvents {
  let batch: unknown;
  try {
    batch = decode(payload, { useBigInt64: true });
  } catch (cause) {
    throw new KvEventError("they are not valid msgpack", { cause });
  }
  if (!Array.isArray(batch)) throw new KvEventError("the batch is not an array");
  const [timestamp, wires, rank] = batch as unknown[];
  if (!Array.isArray(wires)) throw new KvEventError("the batch has no list of events");
  const events: KvEvent[] = [];
  const unreadable: UnreadableKvEvent[] = [];
  for (const wire of wires as unknown[]) {
    try {
      const event = fromWire(wire);
      if (event !== undefined) events.push(event);
    } catch (error) {
      if (!(error instanceof KvEventError)) throw error;
      unreadable.push(toUnreadable(wire, error.what));
    }
  }
  return {
    timestamp: toNumber(timestamp, "timestamp"),
    events,
    unreadable,
    dataParallelRank: rank === undefined || rank === null ? 0 : toNumber(rank, "data_parallel_rank"),
  };
}

function toWire(event: KvEvent): Record<string, unknown> {
  switch (event.type) {
    case "stored":
      return {
        type: "BlockStored",
        block_hashes: Array.from(event.blockHashes),
        parent_block_hash: event.parentHash ?? null,
        token_ids: Array.from(event.tokenIds),
        block_size: event.blockSize,
        lora_id: null,
        medium: mediumOf[event.tier ?? "device"],
        lora_name: event.loraName ?? null,
        extra_keys: writeExtraKeys(event),
        // Not vLLM's: other receivers skip it, and have no use for the event.
        ...(event.localHashes && { local_hashes: toBytes(event.localHashes) }),
        group_idx: event.group ?? 0,
        kv_cache_spec_kind: event.isWindowed ? "sliding_window" : "full_attention",
      };
    case "removed":
      return {
        type: "BlockRemoved",
        block_hashes: Array.from(event.blockHashes),
        medium: mediumOf[event.tier ?? "device"],
        group_idx: event.group ?? 0,
      };
    case "cleared":
      return { type: "AllBlocksCleared" };
  }
}

/** Returns undefined for an unknown kind of event or medium. */
function fromWire(wire: unknown): KvEvent | undefined {
  const fields = toFields(wire);
  switch (fields.type) {
    case "BlockStored": {
      const stored = toStored(fields);
      const tier = toTier(fields.medium);
      return tier && { ...stored, ...(tier !== "device" && { tier }) };
    }
    case "BlockRemoved": {
      const blockHashes = toHashes(fields.block_hashes);
      const tier = toTier(fields.medium);
      const group = toGroup(fields.group_idx);
      return tier && { type: "removed", blockHashes, ...(tier !== "device" && { tier }), ...group };
    }
    case "AllBlocksCleared":
      return { type: "cleared" };
    default:
      return undefined;
  }
}

const REMOVALS: ReadonlySet<unknown> = new Set(["BlockRemoved", "AllBlocksCleared"]);

function toUnreadable(wire: unknown, what: string): UnreadableKvEvent {
  const fields = tryFields(wire);
  const group = Number(fields.group_idx ?? 0);
  return {
    what,
    mayBeRemoval: REMOVALS.has(fields.type),
    group: Number.isInteger(group) ? group : 0,
    isWindowed: isWindowed(fields.kv_cache_spec_kind),
  };
}

function tryFields(wire: unknown): Record<string, unknown> {
  try {
    return toFields(wire);
  } catch {
    return {};
  }
}

/** The fields of the array form, in vLLM's order; only those that are read here. */
const arrayFields: Record<string, readonly string[]> = {
  BlockStored: [
    "block_hashes",
    "parent_block_hash",
    "token_ids",
    "block_size",
    "lora_id",
    "medium",
    "lora_name",
    "extra_keys",
    "group_idx",
    "kv_cache_spec_kind",
  ],
  BlockRemoved: ["block_hashes", "medium", "group_idx"],
};

function toFields(wire: unknown): Record<string, unknown> {
  if (Array.isArray(wire)) {
    const [tag, ...values] = wire as unknown[];
    if (typeof tag !== "string") throw new KvEventError("an event's tag is not a string");
    const names = Object.hasOwn(arrayFields, tag) ? (arrayFields[tag] ?? []) : [];
    const metadata = values.find(
      (value) => typeof value === "object" && value !== null && "cache_salt" in value,
    );
    return { type: tag, metadata, ...Object.fromEntries(names.map((name, index) => [name, values[index]])) };
  }
  if (typeof wire !== "object" || wire === null || !("type" in wire) || typeof wire.type !== "string") {
    throw new KvEventError("an event has no type");
  }
  return wire as Record<string, unknown>;
}

function toStored(fields: Record<string, unknown>): KvStoredEvent {
  const blockHashes = toHashes(fields.block_hashes);
  const parent = fields.parent_block_hash;
  const tokenIds = toTokenIds(fields.token_ids);
  const localHashes = toLocalHashes(fields.local_hashes, blockHashes.length);
  const isCopy = tokenIds.length === 0 && blockHashes.length > 0 && localHashes === undefined;
  const blockSize = isCopy ? 0 : toNumber(fields.block_size, "block_size");
  if (localHashes === undefined && tokenIds.length !== blockHashes.length * blockSize) {
    const blocks = `${blockHashes.length} blocks of ${blockSize}`;
    throw new KvEventError(`${tokenIds.length} token ids for ${blocks}`);
  }
  const parentHash = parent === null || parent === undefined ? undefined : toHash(parent);
  const loraName = typeof fields.lora_name === "string" ? fields.lora_name : undefined;
  // Requests name adapters, and treating the blocks as the base model's would be wrong.
  const loraId = toNumber(fields.lora_id ?? 0, "lora_id");
  if (loraId !== 0 && loraName === undefined)
    throw new KvEventError(`a LoRA adapter is given only by its number (lora_id ${loraId}, no lora_name)`);
  return {
    type: "stored",
    blockHashes,
    parentHash,
    tokenIds,
    blockSize,
    ...(localHashes && { localHashes }),
    ...(loraName !== undefined && { loraName }),
    ...withStatedSalt(readExtraKeys(fields.extra_keys, loraName), fields, parentHash === undefined),
    ...toGroup(fields.group_idx),
    ...(isWindowed(fields.kv_cache_spec_kind) && { isWindowed: true }),
  };
}

/** Empty for the first group, or if there is none. */
function toGroup(value: unknown): { group?: number } {
  const group = value === undefined || value === null ? 0 : toNumber(value, "group_idx");
  return group === 0 ? {} : { group };
}

/** From vLLM's kinds of caches; an unknown or missing one counts as full attention. */
function isWindowed(kind: unknown): boolean {
  return typeof kind === "string" && /^(sliding_window|chunked_local|mamba|cross|encoder_only)/.test(kind);
}

const mediumOf: Record<KvTier, string> = { device: "GPU", host: "CPU", disk: "STORAGE" };

/** Tiers by engines' names: vLLM GPU, CPU, STORAGE; SGLang GPU, CPU_PINNED, DISK. */
const tierOf = new Map<unknown, KvTier>([
  [undefined, "device"],
  [null, "device"],
  ["GPU", "device"],
  ["CPU", "host"],
  ["CPU_PINNED", "host"],
  ["STORAGE", "disk"],
  ["DISK", "disk"],
]);

/** Undefined for an unknown medium. */
function toTier(medium: unknown): KvTier | undefined {
  return tierOf.get(typeof medium === "string" ? medium.toUpperCase() : medium);
}

function toHashes(value: unknown): BigUint64Array {
  if (!Array.isArray(value)) throw new KvEventError("block_hashes is not a list");
  return BigUint64Array.from(value, toHash);
}

function toHash(value: unknown): bigint {
  if (typeof value === "bigint") return BigInt.asUintN(64, value);
  if (typeof value === "number" && Number.isInteger(value)) return BigInt.asUintN(64, BigInt(value));
  if (!(value instanceof Uint8Array)) throw new KvEventError("a block hash is neither an integer nor bytes");
  let hash = 0n;
  for (const byte of value.subarray(-8)) hash = (hash << 8n) | BigInt(byte);
  return hash;
}

/** @param blocks how many there must be */
function toLocalHashes(value: unknown, blocks: number): BigUint64Array | undefined {
  if (value === undefined || value === null) return undefined;
  if (!(value instanceof Uint8Array) || value.length !== blocks * 8)
    throw new KvEventError(`local_hashes is not ${blocks * 8} bytes for ${blocks} blocks`);
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  return BigUint64Array.from({ length: blocks }, (_, index) => view.getBigUint64(index * 8, true));
}

function toBytes(hashes: BigUint64Array): Uint8Array {
  const bytes = new Uint8Array(hashes.byteLength);
  const view = new DataView(bytes.buffer);
  for (const [index, hash] of hashes.entries()) view.setBigUint64(index * 8, hash, true);
  return bytes;
}

function toTokenIds(value: unknown): Uint32Array {
  if (!Array.isArray(value)) throw new KvEventError("token_ids is not a list");
  const tokenIds = new Uint32Array(value.length);
  for (let i = 0; i < tokenIds.length; i++) {
    const id = Number(value[i]);
    tokenIds[i] = id;
    if (tokenIds[i] !== id) throw new KvEventError("a token id is not a 32-bit integer");
  }
  return tokenIds;
}

function toNumber(value: unknown, name: string): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  throw new KvEventError(`${name} is not a number`);
}
