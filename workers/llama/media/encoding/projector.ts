import { DIMENSIONS, type Places } from "../medium-parts.ts";
import type { Foreign, Pointer } from "../native/foreign.ts";

/** A part of what a medium becomes in a prompt: tokens, or a row of embeddings. Valid until `freeChunks`. */
export interface Chunk {
  readonly pointer: Pointer;
  /** The tokens; undefined if it has embeddings. */
  readonly text: Int32Array | undefined;
  readonly length: number;
}

export interface LoadOptions {
  readonly threads: number;
  readonly hasFlashAttention: boolean;
}

/** A projector of mtmd, llama.cpp's multimodal library: functions of `tools/mtmd/mtmd.h` and `mtmd-helper.h`. */
export interface Projector {
  /** Null if the model cannot be loaded. */
  loadModel(path: string): Pointer;
  /** How many floats a token of a medium has. */
  embeddingWidth(model: Pointer): number;
  /** Null if the projector cannot be used. */
  load(path: string, model: Pointer, options: LoadOptions): Pointer;
  seesImages(projector: Pointer): boolean;
  hearsAudio(projector: Pointer): boolean;
  /** Null if the bytes cannot be decoded. */
  decodeMedium(projector: Pointer, bytes: Uint8Array): Promise<Pointer>;
  freeMedium(medium: Pointer): void;
  /** What a medium becomes in a prompt; undefined if it becomes nothing. To be freed with `freeChunks`. */
  chunksOf(projector: Pointer, medium: Pointer): Promise<Pointer | undefined>;
  listChunks(chunks: Pointer): readonly Chunk[];
  freeChunks(chunks: Pointer): void;
  /** How many positions of a prompt the embeddings take. */
  positionsIn(chunk: Chunk): number;
  /** Where the embeddings are; undefined if one comes after the other. */
  placesIn(projector: Pointer, chunk: Chunk): Places | undefined;
  isCausal(projector: Pointer, chunk: Chunk): boolean;
  /** @returns the embeddings, `width` floats each; undefined if that fails */
  encode(projector: Pointer, chunk: Chunk, width: number): Promise<Float32Array | undefined>;
}

/** What stands for the medium in the text that mtmd divides. */
const MARKER = "<__media__>";
/** `MTMD_INPUT_CHUNK_TYPE_TEXT` and `MTMD_INPUT_CHUNK_TYPE_IMAGE` */
const [TEXT, IMAGE] = [0, 1];
/** `LLAMA_FLASH_ATTN_TYPE_DISABLED` */
const DISABLED = 0;

export function projectorOf({ koffi, declare, declareSlow }: Foreign): Projector {
  declare("void llama_backend_init()")();
  const modelDefaults = declare("llama_model_params llama_model_default_params()");
  const loadModel = declare("void* llama_model_load_from_file(str path, llama_model_params params)");
  const defaults = declare("mtmd_context_params mtmd_context_params_default()");
  const load = declare("void* mtmd_init_from_file(str path, void* model, mtmd_context_params params)");
  const decodeMedium = declareSlow(
    "mtmd_helper_bitmap_wrapper mtmd_helper_bitmap_init_from_buf(void* projector, uint8* bytes, size_t length, bool is_empty)",
  );
  const createChunks = declare("void* mtmd_input_chunks_init()");
  const tokenize = declareSlow(
    "int32 mtmd_tokenize(void* projector, void* chunks, mtmd_input_text* text, void** media, size_t count)",
  );
  const count = declare("size_t mtmd_input_chunks_size(void* chunks)");
  const at = declare("void* mtmd_input_chunks_get(void* chunks, size_t index)");
  const freeChunks = declare("void mtmd_input_chunks_free(void* chunks)");
  const typeOf = declare("int32 mtmd_input_chunk_get_type(void* chunk)");
  const lengthOf = declare("size_t mtmd_input_chunk_get_n_tokens(void* chunk)");
  const positionsOf = declare("int32 mtmd_input_chunk_get_n_pos(void* chunk)");
  const textOf = declare("void* mtmd_input_chunk_get_tokens_text(void* chunk, _Out_ size_t* length)");
  const imageOf = declare("void* mtmd_input_chunk_get_tokens_image(void* chunk)");
  const hasPlaces = declare("bool mtmd_decode_use_mrope(void* projector)");
  const places = declare("void mtmd_helper_image_get_decoder_pos(void* image, int32 first, uint32* places)");
  const isNonCausal = declare("bool mtmd_decode_use_non_causal(void* projector, void* chunk)");
  const encode = declareSlow("int32 mtmd_encode_chunk(void* projector, void* chunk)");
  const output = declare("void* mtmd_get_output_embd(void* projector)");
  /** `mtmd_decoder_pos` of each row: time, x, y, and one that is not in use. @param first the medium's own position */
  const placesFrom = (image: Pointer, rows: number, first: number) => {
    const values = new Uint32Array(rows * DIMENSIONS);
    places(image, first, values);
    return values;
  };
  return {
    // Its weights are in the file; nothing here reads them.
    loadModel: (path) => loadModel(path, { ...modelDefaults(), n_gpu_layers: 0, use_extra_bufts: false }),
    embeddingWidth: declare("int32 llama_model_n_embd_inp(void* model)"),
    load: (path, model, { threads, hasFlashAttention }) =>
      load(path, model, {
        ...defaults(),
        ...(!hasFlashAttention && { flash_attn_type: DISABLED }),
        use_gpu: false,
        print_timings: false,
        n_threads: threads,
        warmup: false,
      }),
    seesImages: declare("bool mtmd_support_vision(void* projector)"),
    hearsAudio: declare("bool mtmd_support_audio(void* projector)"),
    async decodeMedium(projector, bytes) {
      const made: unknown = await decodeMedium(projector, bytes, bytes.length, false);
      return typeof made === "object" && made !== null && "bitmap" in made ? made.bitmap : null;
    },
    freeMedium: declare("void mtmd_bitmap_free(void* medium)"),
    freeChunks,
    async chunksOf(projector, medium) {
      const chunks = createChunks();
      const text = { text: MARKER, text_len: MARKER.length, add_special: false, parse_special: true };
      if ((await tokenize(projector, chunks, text, [medium], 1)) === 0) return chunks;
      freeChunks(chunks);
      return undefined;
    },
    listChunks: (chunks) =>
      Array.from({ length: Number(count(chunks)) }, (_, index) => {
        const pointer = at(chunks, index);
        const length = Number(lengthOf(pointer));
        if (typeOf(pointer) !== TEXT) return { pointer, text: undefined, length };
        const first = textOf(pointer, [0]);
        return { pointer, text: new Int32Array(koffi.view(first, length * 4)).slice(), length };
      }),
    positionsIn: ({ pointer }) => Number(positionsOf(pointer)),
    placesIn(projector, { pointer, length }) {
      // Sounds have one position after the other in all dimensions.
      if (!hasPlaces(projector) || typeOf(pointer) !== IMAGE) return undefined;
      const image = imageOf(pointer);
      const [atStart, atNext] = [placesFrom(image, length, 0), placesFrom(image, length, 1)];
      const shifts = ORDER.map((dimension) => atNext[dimension]! - atStart[dimension]!);
      const values = new Int32Array(length * DIMENSIONS);
      for (const [index, dimension] of ORDER.entries())
        for (let row = 0; row < length; row++)
          values[index * length + row] = atStart[row * DIMENSIONS + dimension]!;
      return { values, shifts: Int32Array.from(shifts) };
    },
    isCausal: (projector, { pointer }) => !isNonCausal(projector, pointer),
    async encode(projector, { pointer, length }, floats) {
      if ((await encode(projector, pointer)) !== 0) return undefined;
      return new Float32Array(koffi.view(output(projector), length * floats * 4)).slice();
    },
  };
}

/** `llama_decode` takes time, height and width, where `mtmd_decoder_pos` has x before y. */
const ORDER = [0, 2, 1, 3];
