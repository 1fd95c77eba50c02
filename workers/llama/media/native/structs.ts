import type { Foreign } from "./foreign.ts";

/** Structs that functions take and return by value, field by field, as they are in the release that the package carries. */
const STRUCTS = {
  llama_model_params: `
    void* devices, void* overrides, int32 n_gpu_layers, int32 split_mode, int32 load_mode, int32 main_gpu,
    void* tensor_split, void* progress, void* progress_data, void* kv_overrides,
    bool vocab_only, bool check_tensors, bool use_extra_bufts, bool no_host, bool no_alloc, bool load_mtp`,
  llama_context_params: `
    uint32 n_ctx, uint32 n_batch, uint32 n_ubatch, uint32 n_seq_max, uint32 n_rs_seq, uint32 n_outputs_max,
    int32 n_threads, int32 n_threads_batch,
    int32 ctx_type, int32 rope_scaling_type, int32 pooling_type, int32 attention_type, int32 flash_attn_type,
    float rope_freq_base, float rope_freq_scale, float yarn_ext_factor, float yarn_attn_factor, float yarn_beta_fast,
    float yarn_beta_slow, uint32 yarn_orig_ctx, float defrag_thold,
    void* cb_eval, void* cb_eval_data, int32 type_k, int32 type_v, void* abort, void* abort_data,
    bool embeddings, bool offload_kqv, bool no_perf, bool op_offload, bool swa_full, bool kv_unified,
    void* samplers, size_t n_samplers, void* ctx_other`,
  llama_batch: `
    int32 n_tokens, int32* token, float* embd, int32* pos, int32* n_seq_id, void* seq_id, int8* logits`,
  llama_logit_bias: "int32 token, float bias",
  llama_sampler_chain_params: "bool no_perf",
  mtmd_context_params: `
    bool use_gpu, bool print_timings, int n_threads, void* image_marker, void* media_marker, int32 flash_attn_type,
    bool warmup, int image_min_tokens, int image_max_tokens, void* cb_eval, void* cb_eval_data, int32 batch_max_tokens,
    void* progress, void* progress_data`,
  mtmd_input_text: "str text, size_t text_len, bool add_special, bool parse_special",
  mtmd_helper_bitmap_wrapper: "void* bitmap, void* video",
};

/** Must be called before functions with these structs are declared. */
export function declareStructs({ koffi }: Foreign): void {
  for (const [name, fields] of Object.entries(STRUCTS)) koffi.struct(name, parsed(fields));
}

function parsed(fields: string): Record<string, string> {
  const pairs = fields
    .trim()
    .split(/\s*,\s*/)
    .map((field) => {
      const space = field.lastIndexOf(" ");
      return [field.slice(space + 1), field.slice(0, space)] as const;
    });
  return Object.fromEntries(pairs);
}

/** Some defaults, by which another layout is noticed before anything is computed with it. */
const DEFAULTS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "llama_model_params llama_model_default_params()": {
    ...{ split_mode: 1, load_mode: 1, vocab_only: false, use_extra_bufts: true, no_alloc: false },
  },
  "llama_context_params llama_context_default_params()": {
    ...{
      n_ctx: 512,
      n_ubatch: 512,
      n_threads: 4,
      n_threads_batch: 4,
      type_k: 1,
      type_v: 1,
      embeddings: false,
    },
    ...{ offload_kqv: true, n_samplers: 0 },
  },
  "mtmd_context_params mtmd_context_params_default()": {
    ...{ use_gpu: true, n_threads: 4, warmup: true, batch_max_tokens: 1024 },
  },
};

/** @throws Error if the structs of the library are others */
export function checkStructs({ declare }: Foreign): void {
  for (const [declaration, expected] of Object.entries(DEFAULTS)) {
    const actual = declare(declaration)();
    for (const [field, value] of Object.entries(expected))
      if (actual[field] !== value)
        throw new Error(
          `This is another release of llama.cpp than the one it is called like: '${field}' is ${actual[field]}, not ${value}.`,
        );
  }
}
