import { DIMENSIONS, type RowsPart } from "../medium-parts.ts";
import { type Foreign, loadForeign, type Pointer } from "../native/foreign.ts";
import { BATCH_SIZE, BatchMemory } from "./batch-memory.ts";
import { LANGUAGE_STRUCTS } from "./structs.ts";

export interface NativeContextOptions {
  /** The path of the package that calls functions of C. */
  readonly koffi: string;
  /** llama.cpp's library; node-llama-cpp has initialised it. */
  readonly library: string;
  readonly modelPath: string;
  /** Longest prompt plus answer. */
  readonly contextLength: number;
  /** How many prompts it holds at once. */
  readonly sequences: number;
  readonly threads: number;
}

/**
 * A language model of llama.cpp with a context of its own, by functions of `include/llama.h`: unlike node-llama-cpp, it takes
 * embeddings. It does one thing at a time.
 */
export class NativeContext {
  readonly foreign: Foreign;
  readonly vocabulary: Pointer;
  readonly vocabularySize: number;
  /** How many floats a row of embeddings has. */
  readonly width: number;
  readonly #functions: Functions;
  readonly #model: Pointer;
  readonly #context: Pointer;
  readonly #memory: Pointer;
  readonly #batch: BatchMemory;
  readonly #hasDimensions: boolean;
  #size = 0;

  private constructor(
    foreign: Foreign,
    functions: Functions,
    model: Pointer,
    context: Pointer,
    sequences: number,
  ) {
    this.foreign = foreign;
    this.#functions = functions;
    this.#model = model;
    this.#context = context;
    this.#memory = functions.memoryOf(context);
    this.vocabulary = functions.vocabularyOf(model);
    this.vocabularySize = functions.vocabularySize(this.vocabulary);
    this.width = functions.embeddingWidth(model);
    this.#hasDimensions = MULTIDIMENSIONAL.has(functions.ropeType(model));
    this.#batch = new BatchMemory(foreign, sequences, this.width);
  }

  /** @throws Error with the reason, as a clause */
  static async open(options: NativeContextOptions): Promise<NativeContext> {
    const { koffi, library, modelPath, contextLength, sequences, threads } = options;
    const { foreign, functions } = functionsOf(koffi, library);
    const model = await functions.loadModel(modelPath, { ...functions.modelDefaults(), n_gpu_layers: 0 });
    if (model === null) throw new Error(`llama.cpp cannot load the model ${modelPath}`);
    const context = await functions.createContext(model, {
      ...functions.contextDefaults(),
      ...{
        n_ctx: contextLength * sequences,
        n_batch: BATCH_SIZE,
        n_ubatch: BATCH_SIZE,
        n_seq_max: sequences,
      },
      ...{ n_threads: threads, n_threads_batch: threads },
      // With a sliding window, a prefix is reusable only within its last few hundred tokens.
      ...{ swa_full: true, kv_unified: false },
    });
    if (context === null) {
      await functions.freeModel(model);
      throw new Error("there is not enough memory for the context of prompts with media");
    }
    return new NativeContext(foreign, functions, model, context, sequences);
  }

  /** How many tokens are in the next step. */
  get size(): number {
    return this.#size;
  }

  /**
   * Adds a token to the next step, of at most `BATCH_SIZE`.
   * @returns its place there
   */
  add(token: number, position: number, sequence: number, hasOutput: boolean): number {
    const { tokens, positions, outputs } = this.#batch;
    const index = this.#size++;
    tokens[index] = token;
    positions[index] = position;
    outputs[index] = Number(hasOutput);
    this.#batch.setSequence(index, sequence);
    return index;
  }

  /** Computes the step. @throws Error if llama.cpp fails */
  async decode(): Promise<void> {
    const batch = this.#batch.tokenBatch(this.#size);
    this.#size = 0;
    checkDecoded(await this.#functions.decode(this.#context, batch));
  }

  /**
   * Computes at most `BATCH_SIZE` rows of a medium; no tokens are in the next step.
   * @param from the first row
   * @param start the position of the medium's first row
   * @param hasOutput whether there are to be logits after the last row
   * @throws Error if llama.cpp fails
   */
  async decodeRows(
    part: RowsPart,
    from: number,
    start: number,
    sequence: number,
    hasOutput: boolean,
  ): Promise<void> {
    const count = Math.min(BATCH_SIZE, part.count - from);
    const { positions, outputs, embeddings } = this.#batch;
    embeddings.set(part.embeddings.subarray(from * this.width, (from + count) * this.width));
    for (let row = 0; row < count; row++) {
      outputs[row] = Number(hasOutput && row === count - 1);
      this.#batch.setSequence(row, sequence);
      const dimensions = this.#hasDimensions ? DIMENSIONS : 1;
      for (let dimension = 0; dimension < dimensions; dimension++)
        positions[dimension * count + row] = placeOf(part, from + row, dimension, start);
    }
    if (!part.isCausal) this.#functions.setCausal(this.#context, false);
    try {
      checkDecoded(await this.#functions.decode(this.#context, this.#batch.rowBatch(count)));
    } finally {
      if (!part.isCausal) this.#functions.setCausal(this.#context, true);
    }
  }

  /**
   * Forgets what a sequence holds from a position on.
   * @returns false if the model can forget only all of it, and has
   */
  truncate(sequence: number, position: number): boolean {
    if (this.#functions.remove(this.#memory, sequence, position, -1)) return true;
    this.#functions.remove(this.#memory, sequence, 0, -1);
    return false;
  }

  /** @returns a token by the logits at a place of the last step */
  async sample(sampler: Pointer, index: number): Promise<number> {
    return Number(await this.#functions.sample(sampler, this.#context, index));
  }

  /** The logits at a place of the last step; valid until the next one. */
  logits(index: number): Float32Array {
    const pointer = this.#functions.logits(this.#context, index);
    return new Float32Array(this.foreign.koffi.view(pointer, this.vocabularySize * 4));
  }

  isEnd(token: number): boolean {
    return this.#functions.isEnd(this.vocabulary, token);
  }

  /** How many threads the next steps have. */
  setThreads(threads: number): void {
    this.#functions.setThreads(this.#context, threads, threads);
  }

  /** Frees it; nothing is computed. */
  async close(): Promise<void> {
    await this.#functions.freeContext(this.#context);
    await this.#functions.freeModel(this.#model);
    this.#batch.free();
  }
}

/** What computes steps. */
export type StepContext = Pick<NativeContext, "size" | "add" | "decode" | "decodeRows" | "setThreads">;

type Functions = ReturnType<typeof declareFunctions>;

/** `LLAMA_ROPE_TYPE_MROPE` and `LLAMA_ROPE_TYPE_IMROPE`: rows of media have positions in several dimensions. */
const MULTIDIMENSIONAL = new Set([8, 40]);

/** By the library's path: a process loads one once, and declares its structs once. */
const loaded = new Map<string, { readonly foreign: Foreign; readonly functions: Functions }>();

function functionsOf(koffi: string, library: string) {
  const known = loaded.get(library);
  if (known !== undefined) return known;
  const foreign = loadForeign(koffi, library, LANGUAGE_STRUCTS);
  const found = { foreign, functions: declareFunctions(foreign) };
  loaded.set(library, found);
  return found;
}

function declareFunctions({ declare, declareSlow }: Foreign) {
  return {
    modelDefaults: declare("llama_model_params llama_model_default_params()"),
    contextDefaults: declare("llama_context_params llama_context_default_params()"),
    loadModel: declareSlow("void* llama_model_load_from_file(str path, llama_model_params params)"),
    createContext: declareSlow("void* llama_init_from_model(void* model, llama_context_params params)"),
    freeModel: declareSlow("void llama_model_free(void* model)"),
    freeContext: declareSlow("void llama_free(void* context)"),
    vocabularyOf: declare("void* llama_model_get_vocab(void* model)"),
    vocabularySize: declare("int32 llama_vocab_n_tokens(void* vocabulary)"),
    isEnd: declare("bool llama_vocab_is_eog(void* vocabulary, int32 token)"),
    embeddingWidth: declare("int32 llama_model_n_embd_inp(void* model)"),
    ropeType: declare("int32 llama_model_rope_type(void* model)"),
    memoryOf: declare("void* llama_get_memory(void* context)"),
    remove: declare("bool llama_memory_seq_rm(void* memory, int32 sequence, int32 from, int32 to)"),
    setThreads: declare("void llama_set_n_threads(void* context, int32 threads, int32 batchThreads)"),
    setCausal: declare("void llama_set_causal_attn(void* context, bool isCausal)"),
    decode: declareSlow("int32 llama_decode(void* context, llama_batch batch)"),
    sample: declareSlow("int32 llama_sampler_sample(void* sampler, void* context, int32 index)"),
    logits: declare("void* llama_get_logits_ith(void* context, int32 index)"),
  };
}

function checkDecoded(status: unknown): void {
  if (status !== 0) throw new Error(`llama_decode failed with ${status}`);
}

/** The position of a row in one dimension. */
function placeOf({ count, places }: RowsPart, row: number, dimension: number, start: number): number {
  if (places === undefined) return start + row;
  return places.values[dimension * count + row]! + places.shifts[dimension]! * start;
}
