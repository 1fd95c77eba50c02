import { z } from "zod";

/** How the gateway turns text into token ids, and ids back into bytes, for a model. */
const tokenizerSchema = z.discriminatedUnion("kind", [
  /** A Hugging Face `tokenizer.json`, read by the gateway from `path`. */
  z.object({ kind: z.literal("huggingface"), path: z.string(), sha256: z.string() }),
  /** The worker tokenises on request; its vocabulary is fetched once for each content hash. */
  z.object({ kind: z.literal("worker"), sha256: z.string() }),
]);

/** What a gateway needs to know of a model to serve it. Published by every worker under its lease. */
export const modelCardSchema = z.object({
  name: z.string().min(1),
  aliases: z.array(z.string()).default([]),
  /** What requests may select workers by, as `key=value`; the operator's, not the engine's. */
  tags: z.array(z.string()).optional(),
  /** Which kinds of request the worker takes. */
  apis: z.array(z.enum(["chat", "completions", "embeddings"])),
  role: z.enum(["aggregated", "prefill", "decode", "encode"]).default("aggregated"),
  /** Longest prompt plus answer, in tokens. */
  contextLength: z.number().int().positive(),
  /** Tokens in a KV block. */
  blockSize: z.number().int().positive(),
  /** KV blocks that the worker, or each of its data-parallel ranks, has in all. */
  totalBlocks: z.number().int().nonnegative(),
  maxBatchedTokens: z.number().int().positive(),
  maxSequences: z.number().int().positive(),
  /**
   * Data-parallel ranks: independent schedulers behind one worker, each with `totalBlocks`, `maxBatchedTokens` and
   * `maxSequences` of its own. A request names one as `dataParallelRank`, from 0.
   */
  dataParallelSize: z.number().int().positive().default(1),
  tokenizer: tokenizerSchema,
  /** Jinja source of the chat template; absent where the model has none. */
  chatTemplate: z.string().optional(),
  /** Text of the special tokens that chat templates name. */
  specialTokens: z.object({ bos: z.string().optional(), eos: z.string().optional() }).default({}),
  /** Whether the tokenizer's beginning-of-sequence token goes before a prompt that lacks it. */
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
     * Whether a prompt that ends in the beginning of its answer is gone on with, as language models do: then an answer
     * whose worker is lost continues at another one. Absent: it is.
     */
    continues: z.boolean().optional(),
  }),
  engine: z.object({ name: z.string(), version: z.string() }),
  /** Seconds since the epoch, for `created` in `/v1/models`. */
  created: z.number().int(),
});

export type ModelCard = z.infer<typeof modelCardSchema>;

/** A worker that serves a model, as it stands in discovery under `instances/<id>`. */
export const instanceSchema = z.object({
  /** Random 64-bit id, 16 hex digits. */
  id: z.string().regex(/^[0-9a-f]{16}$/),
  namespace: z.string(),
  component: z.string(),
  /** Address of the worker's request plane. */
  address: z.string(),
  /** A short name for people, unique on its machine: `llama-0`. */
  name: z.string(),
  pid: z.number().int(),
  card: modelCardSchema,
});

export type Instance = z.infer<typeof instanceSchema>;

/** What is wrong with a model card or an instance: where, as `blockSize`, and why. */
export interface CardFault {
  readonly field: string;
  readonly reason: string;
}

/** The first fault that a schema of this file has found. */
export function cardFault({ issues }: z.ZodError): CardFault {
  const { path = [], message = "not as it should be" } = issues[0] ?? {};
  return { field: path.length === 0 ? "the whole of it" : path.join("."), reason: message };
}
