import type { Structs } from "../native/foreign.ts";

/** Those of `include/llama.h` and `tools/mtmd/mtmd.h` in the release of llama.cpp that the package with mtmd carries. */
export const PROJECTOR_STRUCTS: Structs = {
  fields: {
    llama_model_params: `
      void* devices, void* overrides, int32 n_gpu_layers, int32 split_mode, int32 load_mode, int32 main_gpu,
      void* tensor_split, void* progress, void* progress_data, void* kv_overrides,
      bool vocab_only, bool check_tensors, bool use_extra_bufts, bool no_host, bool no_alloc, bool load_mtp`,
    mtmd_context_params: `
      bool use_gpu, bool print_timings, int n_threads, void* image_marker, void* media_marker, int32 flash_attn_type,
      bool warmup, int image_min_tokens, int image_max_tokens, void* cb_eval, void* cb_eval_data, int32 batch_max_tokens,
      void* progress, void* progress_data`,
    mtmd_input_text: "str text, size_t text_len, bool add_special, bool parse_special",
    mtmd_helper_bitmap_wrapper: "void* bitmap, void* video",
  },
  defaults: {
    "llama_model_params llama_model_default_params()": {
      ...{ split_mode: 1, load_mode: 1, vocab_only: false, use_extra_bufts: true, no_alloc: false },
    },
    "mtmd_context_params mtmd_context_params_default()": {
      ...{ use_gpu: true, n_threads: 4, warmup: true, batch_max_tokens: 1024 },
    },
  },
};
