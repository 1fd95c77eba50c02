import { z } from "zod";

/** How the gateway converts between text and token ids for a model. */
const tokenizerSchema = z.discriminatedUnion("kind", [
  /** A Hugging Face `tokenizer.json`, read by the gateway from `path`. */
  z.object({ kind: z.literal("huggingface"), path: z.string(), sha256: z.string() }),
  /** The worker tokenises on request; its vocabulary is fetched once per content hash. */
  z.object({ kind: z.literal("worker"), sha256: z.string() }),
]);

/** Everything a gateway needs to serve a model. Every worker publishes it under its lease. */
export const modelCardSchema = z.object({
  name: z.string().min(1),
  aliases: z.array(z.string()).default([]),
  /** Tags, `key=value`, by which requests can select workers; set by the operator, not the engine. */
  tags: z.array(z.string()).optional(),
  /** The APIs that the worker serves. */
  apis: z.array(z.enum(["chat", "completions", "embeddings"])),
  role: z.enum(["aggregated", "prefill", "decode", "encode"]).default("aggregated"),
  /** Longest prompt plus answer, in tokens. */
  contextLength: z.number().int().positive(),
  /** Tokens in a KV block. */
  blockSize: z.number().int().positive(),
  /** Total KV blocks of the worker, or of each of its data-parallel ranks. */
  totalBlocks: z.number().int().nonnegative(),
  maxBatchedTokens: z.number().int().positive(),
  maxSequences: z.number().int().positive(),
  /**
   * Data-parallel ranks: independent schedulers behind one worker, each with its own `totalBlocks`, `maxBatchedTokens`
   * and `maxSequences`. A request selects one with `dataParallelRank`, from 0.
   */
  dataParallelSize: z.number().int().positive().default(1),
  tokenizer: tokenizerSchema,
  /** Jinja source of the chat template; absent if the model has none. */
  chatTemplate: z.string().optional(),
  /** Text of the special tokens that chat templates use. */
  specialTokens: z.object({ bos: z.string().optional(), eos: z.string().optional() }).default({}),
  /** Whether to prepend the beginning-of-sequence token to prompts without it. */
  addBos: z.boolean().default(false),
  bosTokenId: z.number().int().nonnegative().optional(),
  /** Ids that end an answer. */
  eosTokenIds: z.array(z.number().int().nonnegative()),
  vocabularySize: z.number().int().positive(),
  features: z.object({
    logprobs: z.boolean(),
    logitBias: z.boolean(),
    embeddings: z.boolean(),
    /**
     * Whether the engine continues a prompt that ends in a partial answer, as language models do: then an answer whose
     * worker is lost continues on another one. Default true.
     */
    continues: z.boolean().optional(),
  }),
  engine: z.object({ name: z.string(), version: z.string() }),
  /** Seconds since the epoch, for `created` in `/v1/models`. */
  created: z.number().int(),
});

export type ModelCard = z.infer<typeof modelCardSchema>;

/** A worker that serves a model, stored in discovery under `instances/<id>`. */
export const instanceSchema = z.object({
  /** Random 64-bit id, 16 hex digits. */
  id: z.string().regex(/^[0-9a-f]{16}$/),
  namespace: z.string(),
  component: z.string(),
  /** Address of the worker's request plane. */
  address: z.string(),
  /** A short readable name, unique on its machine: `llama-0`. */
  name: z.string(),
  pid: z.number().int(),
  /**
   * Set once the worker is leaving: after how long its running calls move to other workers, in milliseconds.
   */
  drainWithinMs: z.number().int().nonnegative().optional(),
  card: modelCardSchema,
});

export type Instance = z.infer<typeof instanceSchema>;

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
