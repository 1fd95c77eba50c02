import type { Structs } from "../native/foreign.ts";

/** Those of `include/llama.h` in the release of llama.cpp that node-llama-cpp carries. */
export const LANGUAGE_STRUCTS: Structs = {
  fields: {
    llama_model_params: `
      void* devices, void* overrides, int32 n_gpu_layers, int32 split_mode, int32 load_mode, int32 lazy_mode, int32 main_gpu,
      void* tensor_split, void* progress, void* progress_data, void* kv_overrides,
      bool vocab_only, bool check_tensors, bool use_extra_bufts, bool no_host, bool no_alloc, bool load_mtp`,
    llama_context_params: `
      uint32 n_ctx, uint32 n_batch, uint32 n_ubatch, uint32 n_seq_max, uint32 n_rs_seq, uint32 n_outputs_max,
      uint32 n_outputs_max_per_seq, int32 n_threads, int32 n_threads_batch,
      int32 ctx_type, int32 rope_scaling_type, int32 pooling_type, int32 attention_type, int32 flash_attn_type,
      float rope_freq_base, float rope_freq_scale, float yarn_ext_factor, float yarn_attn_factor, float yarn_beta_fast,
      float yarn_beta_slow, uint32 yarn_orig_ctx, float defrag_thold,
      void* cb_eval, void* cb_eval_data, int32 type_k, int32 type_v, void* abort, void* abort_data,
      bool embeddings, bool offload_kqv, bool no_perf, bool op_offload, bool swa_full, bool kv_unified,
      void* samplers, size_t n_samplers, void* ctx_other`,
    llama_batch:
      "int32 n_tokens, void* token, void* embd, void* pos, void* n_seq_id, void* seq_id, void* logits",
    llama_logit_bias: "int32 token, float bias",
    llama_sampler_chain_params: "bool no_perf",
  },
  defaults: {
    "llama_model_params llama_model_default_params()": {
      ...{
        split_mode: 1,
        lazy_mode: 1,
        main_gpu: 0,
        vocab_only: false,
        use_extra_bufts: true,
        no_alloc: false,
      },
    },
    "llama_context_params llama_context_default_params()": {
      ...{ n_ctx: 512, n_ubatch: 512, n_outputs_max_per_seq: 1, n_threads: 4, n_threads_batch: 4 },
      ...{ rope_scaling_type: -1, yarn_ext_factor: -1, defrag_thold: -1, type_k: 1, type_v: 1 },
      ...{ embeddings: false, offload_kqv: true, swa_full: true, n_samplers: 0 },
    },
  },
};
