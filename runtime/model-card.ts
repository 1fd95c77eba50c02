import { create, type JsonObject, toJson } from "@bufbuild/protobuf";
import { z } from "zod";
import * as messages from "#proto";
import { discoveryValue } from "./discovery-value.ts";
import { mediaKinds } from "./generate/request.ts";

/** A number that fits into a message's uint32. */
const count = z.number().int().nonnegative().max(0xffffffff);
const atLeastOne = count.positive();
const apis = ["chat", "completions", "embeddings", "transcriptions", "translations"] as const;

/** How the gateway converts between text and token ids for a model. */
const tokenizerSchema = z.discriminatedUnion("kind", [
  /** A Hugging Face `tokenizer.json`, read by the gateway from `path`. */
  z.object({ kind: z.literal("huggingface"), path: z.string().min(1), sha256: z.string().min(1) }),
  /** The worker tokenises on request; its vocabulary is fetched once per content hash. */
  z.object({ kind: z.literal("worker"), sha256: z.string().min(1) }),
]);

/** Everything a gateway needs to serve a model: `stator.v1.ModelCard`. Every worker publishes it under its lease. */
export const modelCardSchema = z.object({
  name: z.string().min(1),
  aliases: z.array(z.string()).default([]),
  /** Tags, `key=value`, by which requests can select workers; set by the operator, not the engine. */
  tags: z.array(z.string()).optional(),
  /** The APIs that the worker serves. */
  apis: z.array(z.enum(apis)),
  role: z.enum(["aggregated", "prefill", "decode", "encode"]).default("aggregated"),
  /** Longest prompt plus answer, in tokens. */
  contextLength: atLeastOne,
  /** Tokens in a KV block. */
  blockSize: atLeastOne,
  /** Total KV blocks of the worker, or of each of its data-parallel ranks. */
  totalBlocks: count,
  maxBatchedTokens: atLeastOne,
  maxSequences: atLeastOne,
  /**
   * Data-parallel ranks: independent schedulers behind one worker, each with its own `totalBlocks`, `maxBatchedTokens`
   * and `maxSequences`. A request selects one with `dataParallelRank`, from 0.
   */
  dataParallelSize: atLeastOne.default(1),
  tokenizer: tokenizerSchema,
  /** Jinja source of the chat template; absent if the model has none. */
  chatTemplate: z.string().optional(),
  /** Text of the special tokens that chat templates use. */
  specialTokens: z.object({ bos: z.string().optional(), eos: z.string().optional() }).default({}),
  /** Whether to prepend the beginning-of-sequence token to prompts without it. */
  addBos: z.boolean().default(false),
  bosTokenId: count.optional(),
  /** Ids that end an answer. */
  eosTokenIds: z.array(count),
  vocabularySize: atLeastOne,
  features: z.object({
    logprobs: z.boolean(),
    logitBias: z.boolean(),
    embeddings: z.boolean(),
    /**
     * Whether the engine continues a prompt that ends in a partial answer, as language models do: then an answer whose
     * worker is lost continues on another one. Default true.
     */
    continues: z.boolean().optional(),
    /** Whether the engine keeps to the grammar of a request. Default false. */
    grammar: z.boolean().optional(),
    /** Whether the engine keeps cached KV of different salts apart, or has no prefix cache. Default false. */
    cacheSalt: z.boolean().optional(),
    /** Whether transcriptions can have the times of words. Default false. */
    wordTimes: z.boolean().optional(),
  }),
  engine: z.object({ name: z.string(), version: z.string() }),
  /** Seconds since the epoch, for `created` in `/v1/models`. */
  created: z.number().int(),
  /**
   * Names the engine, its version and the layout of the KV that the worker can export and import: two workers can exchange
   * KV only if theirs are equal. Absent: it cannot.
   */
  kvFormat: z.string().min(1).optional(),
  /** How the model writes tool calls and marks reasoning; absent: the gateway tells by its template and name. */
  toolParser: z.string().min(1).optional(),
  reasoningParser: z.string().min(1).optional(),
  /** The LoRA adapters that the worker has now, by the names that requests give; absent: none. */
  loraAdapters: z.array(z.string().min(1)).optional(),
  /** The kinds of media that prompts can have, or that an encode worker encodes; absent: none. */
  media: z.array(z.enum(mediaKinds)).min(1).optional(),
  /**
   * Names the engine, its version and the projector by which media become features: a worker can use features only of
   * workers with the same. `textFormat` if media become text. Absent: neither.
   */
  featureFormat: z.string().min(1).optional(),
});

/** The `featureFormat` of encode workers that turn media into text, which is for models without media of their own. */
export const textFormat = "text";

export type ModelCard = z.infer<typeof modelCardSchema>;

const instanceShape = z.object({
  /** Random 64-bit id, 16 hex digits. */
  id: z.string().regex(/^[0-9a-f]{16}$/),
  namespace: z.string(),
  component: z.string(),
  /** Address of the worker's request plane. */
  address: z.string().min(1),
  /** A short readable name, unique on its machine: `llama-0`. */
  name: z.string().min(1),
  pid: count,
  /**
   * Set once the worker is leaving: after how long its running calls move to other workers, in milliseconds.
   */
  drainWithinMs: count.optional(),
  /** Set if its KV events have keyed hashes in place of token ids: the key's fingerprint, 16 hex digits. */
  kvEventsKey: z.string().optional(),
  /** Where it publishes its KV events once for all gateways, besides its endpoint for them: a subject in NATS. */
  kvEventsSubject: z.string().optional(),
  card: modelCardSchema,
});

/** A worker that serves a model, stored in discovery under `instances/<id>`: `stator.v1.Instance`. */
export type Instance = z.infer<typeof instanceShape>;

/** Reads a worker from discovery. */
export const instanceSchema = discoveryValue(
  messages.InstanceSchema,
  instanceShape,
  ({ card, ...instance }) => ({
    ...instance,
    card: card && withDefaults(card),
  }),
);

/** Fills in what an older worker does not say, and drops APIs and kinds of media that only newer ones have. */
const withDefaults = ({
  role,
  dataParallelSize,
  features,
  engine,
  created,
  loraAdapters,
  media,
  ...card
}: messages.ModelCard) => ({
  ...card,
  apis: apis.filter((api) => card.apis.includes(api)),
  role: role || undefined,
  dataParallelSize: dataParallelSize || undefined,
  features: features ?? create(messages.FeaturesSchema),
  engine: engine ?? create(messages.EngineSchema),
  created: Number(created),
  loraAdapters: loraAdapters.length === 0 ? undefined : loraAdapters,
  media: known(mediaKinds.filter((kind) => media.includes(kind))),
});

const known = <Item>(items: readonly Item[]) => (items.length === 0 ? undefined : items);

/** A worker as a value for discovery. */
export function instanceValue({ card, ...instance }: Instance): JsonObject {
  const message = create(messages.InstanceSchema, {
    ...instance,
    card: {
      ...card,
      tags: card.tags ?? [],
      loraAdapters: card.loraAdapters ?? [],
      media: card.media ?? [],
      created: BigInt(card.created),
    },
  });
  return toJson(messages.InstanceSchema, message, { alwaysEmitImplicit: true }) as JsonObject;
}

/** An error in a model card or an instance: the field, such as `blockSize`, and the reason. */
export interface CardFault {
  readonly field: string;
  readonly reason: string;
}

/** The first fault found by a schema of this file. */
export function cardFault({ issues }: z.ZodError): CardFault {
  const { path = [], message = "invalid value" } = issues[0] ?? {};
  return { field: path.length === 0 ? "the whole card" : path.join("."), reason: message };
}
