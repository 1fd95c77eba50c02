import type { Foreign, Pointer } from "./foreign.ts";
import { checkStructs, declareStructs } from "./structs.ts";

/** Most tokens in one step of llama.cpp. */
export const BATCH_SIZE = 512;

/** A language model of llama.cpp: functions of `include/llama.h`. */
export interface Language {
  loadModel(path: string): Pointer;
  vocabularyOf(model: Pointer): Pointer;
  /** How many floats a token of a medium has. */
  embeddingWidth(model: Pointer): number;
  /** Null if there is not enough memory. */
  createContext(model: Pointer, length: number, threads: number): Pointer;
  /** Forgets all KV. */
  clear(context: Pointer): void;
  /**
   * At most `BATCH_SIZE` tokens, from a position on.
   * @returns 0 on success
   */
  decode(context: Pointer, tokens: Int32Array, position: number): Promise<number>;
  /** After the last token that was decoded; a copy. */
  logits(context: Pointer, vocabularySize: number): Float32Array;
  vocabularySize(vocabulary: Pointer): number;
  /** Whether a token ends answers. */
  isEnd(vocabulary: Pointer, token: number): boolean;
}

export function languageOf(foreign: Foreign): Language {
  declareStructs(foreign);
  checkStructs(foreign);
  const { koffi, declare, declareSlow } = foreign;
  declare("void llama_backend_init()")();
  const modelDefaults = declare("llama_model_params llama_model_default_params()");
  const contextDefaults = declare("llama_context_params llama_context_default_params()");
  const load = declare("void* llama_model_load_from_file(str path, llama_model_params params)");
  const create = declare("void* llama_init_from_model(void* model, llama_context_params params)");
  const memoryOf = declare("void* llama_get_memory(void* context)");
  const clear = declare("void llama_memory_clear(void* memory, bool data)");
  const decode = declareSlow("int32 llama_decode(void* context, llama_batch batch)");
  const logits = declare("void* llama_get_logits_ith(void* context, int32 index)");
  return {
    loadModel: (path) =>
      // Weights stay as they are in the file, so that their memory is shared with other processes.
      load(path, { ...modelDefaults(), n_gpu_layers: 0, use_extra_bufts: false }),
    vocabularyOf: declare("void* llama_model_get_vocab(void* model)"),
    embeddingWidth: declare("int32 llama_model_n_embd_inp(void* model)"),
    createContext: (model, length, threads) =>
      create(model, {
        ...contextDefaults(),
        ...{ n_ctx: length, n_batch: BATCH_SIZE, n_ubatch: BATCH_SIZE },
        ...{ n_threads: threads, n_threads_batch: threads },
      }),
    clear: (context) => clear(memoryOf(context), true),
    async decode(context, tokens, position) {
      const pos = Int32Array.from(tokens, (_, index) => position + index);
      const batch = { n_tokens: tokens.length, token: tokens, embd: null, pos, n_seq_id: null, seq_id: null };
      // Without `logits`, those of the last token alone are computed.
      return Number(await decode(context, { ...batch, logits: null }));
    },
    logits: (context, vocabularySize) =>
      new Float32Array(koffi.view(logits(context, -1), vocabularySize * 4)).slice(),
    vocabularySize: declare("int32 llama_vocab_n_tokens(void* vocabulary)"),
    isEnd: declare("bool llama_vocab_is_eog(void* vocabulary, int32 token)"),
  };
}
