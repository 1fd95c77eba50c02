import { z } from "zod";
import { encodeKvEvents, type KvEvent, type KvTier } from "#runtime";

/** An integer, which JSON may have rounded, or a string of digits; consistent wherever the hash appears. */
const hashSchema = z.union([z.number(), z.string()]);

const blockSchema = z.looseObject({
  block_hash: hashSchema,
  tokens: z.array(z.looseObject({ token_id: z.uint32() })),
  lora_id: z.number().nullish(),
  /** 0 is GPU memory, 1 host memory. */
  cache_level: z.number().nullish(),
  mm_keys: z
    .array(z.looseObject({ hash: z.string() }))
    .nullish()
    .catch(undefined),
});

const dataSchema = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("created") }),
  z.looseObject({
    type: z.literal("stored"),
    parent_hash: hashSchema.nullish(),
    blocks: z.array(blockSchema),
  }),
  z.looseObject({ type: z.literal("removed"), block_hashes: z.array(hashSchema) }),
  z.looseObject({
    type: z.literal("updated"),
    block_hash: hashSchema,
    cache_level: z.looseObject({ old_value: z.number(), new_value: z.number() }).nullish(),
  }),
]);

/** An event from `/kv_cache_events`. */
const polledEventSchema = z.looseObject({
  event_id: z.number(),
  data: dataSchema,
  /** The attention window in tokens; layers with other windows have separate caches and events. */
  window_size: z.number().nullish(),
  attention_dp_rank: z.number().int().nonnegative().nullish(),
});

type PolledEvent = z.output<typeof polledEventSchema>;
type Data = PolledEvent["data"];
type Stored = Extract<Data, { type: "stored" }>;

/**
 * Converts one engine's TensorRT-LLM events into batches in vLLM's wire format. TensorRT-LLM also reports partial
 * blocks, and never reports the block size: the first of several blocks, or one that has a child, must be full. Until
 * there is one, events are held back.
 */
export class PolledEvents {
  #blockSize: number | undefined;
  #waiting: PolledEvent[] = [];
  readonly #ranks = new Map<number, RankEvents>();

  /**
   * The batches, in order. An unreadable event does not affect the others.
   * @param onUnreadable called with the problem of each event that cannot be read
   */
  convert(events: readonly unknown[], onUnreadable: (what: string) => void): Uint8Array[] {
    this.#waiting.push(...events.flatMap((event) => readEvent(event, onUnreadable)));
    this.#blockSize ??= fullBlock(this.#waiting);
    if (this.#blockSize === undefined && this.#waiting.length < MOST_WAITING) return [];
    const blockSize = this.#blockSize ?? longestBlock(this.#waiting);
    const batches: { rank: number; events: KvEvent[] }[] = [];
    for (const event of this.#waiting) {
      const rank = event.attention_dp_rank ?? 0;
      if (batches.at(-1)?.rank !== rank) batches.push({ rank, events: [] });
      batches.at(-1)!.events.push(...this.#rank(rank).convert(event, blockSize));
    }
    this.#waiting = [];
    return batches
      .filter(({ events }) => events.length > 0)
      .map(({ rank, events }) =>
        encodeKvEvents({ timestamp: Date.now() / 1000, events, dataParallelRank: rank }),
      );
  }

  #rank(rank: number): RankEvents {
    const events = this.#ranks.get(rank) ?? new RankEvents();
    this.#ranks.set(rank, events);
    return events;
  }
}

/**
 * One event, or a substitute if it cannot be read: one that stores nothing, or one that clears everything if it may
 * have removed blocks. If not even its id can be read, the next event's id reveals the gap.
 */
function readEvent(value: unknown, onUnreadable: (what: string) => void): PolledEvent[] {
  const read = polledEventSchema.safeParse(value);
  if (read.success) return [read.data];
  const { path, message } = read.error.issues[0]!;
  const { data: known } = numberedSchema.safeParse(value);
  const type = known?.data.type ?? "removed";
  const isKnown = TYPES.includes(type);
  if (isKnown) onUnreadable(`at ${path.join(".")}: ${message}`);
  if (known === undefined) return [];
  const mayBeRemoval = isKnown && type !== "stored";
  return [{ ...known, data: mayBeRemoval ? { type: "created" } : { type: "stored", blocks: [] } }];
}

const TYPES = ["created", "stored", "removed", "updated"];

const numberedSchema = z.looseObject({
  event_id: z.number(),
  data: z.looseObject({ type: z.string() }),
  attention_dp_rank: z.number().int().nonnegative().nullish().catch(undefined),
  window_size: z.number().nullish().catch(undefined),
});

/** Most events held back: after this many short prompts, longer ones are unlikely. */
const MOST_WAITING = 10_000;

/** The events of one data-parallel rank. */
class RankEvents {
  #nextId: number | undefined;
  #window = 0;
  /** Whether a block was ever outside GPU memory. */
  #hasTiers = false;

  convert({ event_id, data, window_size }: PolledEvent, blockSize: number): KvEvent[] {
    // After missing events, the cache's state is unknown.
    const isGap = this.#nextId !== undefined && event_id !== this.#nextId;
    this.#nextId = event_id + 1;
    const before: KvEvent[] = isGap ? [{ type: "cleared" }] : [];
    const window = window_size ?? 0;
    if (window < this.#window) return before;
    // The blocks of the largest window determine what must be recomputed.
    if (this.#window > 0 && window > this.#window) before.push({ type: "cleared" });
    this.#window = window;
    return [...before, ...this.#events(data, blockSize)];
  }

  #events(data: Data, blockSize: number): KvEvent[] {
    switch (data.type) {
      case "created":
        return [{ type: "cleared" }];
      case "stored":
        this.#hasTiers ||= data.blocks.some(({ cache_level }) => toTier(cache_level) !== "device");
        return storedEvents(data, blockSize);
      case "removed": {
        const blockHashes = BigUint64Array.from(data.block_hashes, toHash);
        const removed: KvEvent = { type: "removed", blockHashes };
        return this.#hasTiers ? [removed, { ...removed, tier: "host" }] : [removed];
      }
      case "updated":
        return data.cache_level ? this.#move(toHash(data.block_hash), data.cache_level) : [];
    }
  }

  /** Stores before it removes, because a block without a tier would be forgotten. */
  #move(hash: bigint, level: { old_value: number; new_value: number }): KvEvent[] {
    const [from, to] = [toTier(level.old_value), toTier(level.new_value)];
    if (from === to) return [];
    this.#hasTiers = true;
    const blockHashes = BigUint64Array.of(hash);
    const copied: KvEvent = {
      type: "stored",
      blockHashes,
      parentHash: undefined,
      tokenIds: new Uint32Array(0),
      blockSize: 0,
      tier: to,
    };
    return [copied, { type: "removed", blockHashes, tier: from }];
  }
}

/**
 * The full blocks of a stored event, up to the first partial one, split by tier. Blocks of LoRA adapters are ignored,
 * because the engine identifies adapters by number and requests by name.
 */
function storedEvents({ blocks, parent_hash }: Stored, blockSize: number): KvEvent[] {
  const partial = blocks.findIndex(({ tokens, lora_id }) => tokens.length !== blockSize || lora_id != null);
  const full = partial < 0 ? blocks : blocks.slice(0, partial);
  const events: KvEvent[] = [];
  let parentHash = parent_hash == null ? undefined : toHash(parent_hash);
  for (let start = 0; start < full.length; ) {
    const tier = toTier(full[start]!.cache_level);
    let end = start + 1;
    while (end < full.length && toTier(full[end]!.cache_level) === tier) end++;
    const piece = full.slice(start, end);
    const mediaIds = piece.map(({ mm_keys }) =>
      mm_keys?.length ? mm_keys.map(({ hash }) => hash) : undefined,
    );
    events.push({
      type: "stored",
      blockHashes: BigUint64Array.from(piece, ({ block_hash }) => toHash(block_hash)),
      parentHash,
      tokenIds: Uint32Array.from(piece.flatMap(({ tokens }) => tokens.map(({ token_id }) => token_id))),
      blockSize,
      ...(tier !== "device" && { tier }),
      ...(mediaIds.some((ids) => ids !== undefined) && { mediaIds }),
    });
    parentHash = toHash(piece.at(-1)!.block_hash);
    start = end;
  }
  return events;
}

/** The size of a block that must be full. */
function fullBlock(events: readonly PolledEvent[]): number | undefined {
  const sizes = new Map<bigint, number>();
  for (const { data } of events) {
    if (data.type !== "stored") continue;
    const [first, second] = data.blocks;
    if (first !== undefined && second !== undefined) return first.tokens.length;
    const parent = data.parent_hash == null ? undefined : sizes.get(toHash(data.parent_hash));
    if (parent !== undefined && first !== undefined) return parent;
    if (first !== undefined) sizes.set(toHash(first.block_hash), first.tokens.length);
  }
  return undefined;
}

function longestBlock(events: readonly PolledEvent[]): number {
  const blocks = events.flatMap(({ data }) => (data.type === "stored" ? data.blocks : []));
  return Math.max(1, ...blocks.map(({ tokens }) => tokens.length));
}

function toTier(level: number | null | undefined): KvTier {
  return !level ? "device" : level === 1 ? "host" : "disk";
}

/** The last 64 bits of the engine's block hash. */
function toHash(hash: number | string): bigint {
  if (typeof hash === "number") return BigInt.asUintN(64, BigInt(Math.trunc(hash)));
  if (/^-?\d{1,20}$/.test(hash)) return BigInt.asUintN(64, BigInt(hash));
  const digits = /[0-9a-f]{1,16}$/i.exec(hash)?.[0] ?? "0";
  return BigInt(`0x${digits}`);
}
