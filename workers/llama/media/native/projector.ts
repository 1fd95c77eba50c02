import type { Foreign, Pointer } from "./foreign.ts";
import { BATCH_SIZE } from "./language.ts";

/** Width and height in pixels, or how many samples there are, and 0. */
export type MediumSize = readonly [number, number];

/** A part of what a medium becomes in a prompt: tokens, or a row of embeddings. */
export interface Chunk {
  readonly pointer: Pointer;
  /** The tokens; undefined if it has embeddings. */
  readonly text: Int32Array | undefined;
  readonly length: number;
}

/** A projector of mtmd, llama.cpp's multimodal library: functions of `tools/mtmd/mtmd.h` and `mtmd-helper.h`. */
export interface Projector {
  /** Null if the projector cannot be used. */
  load(path: string, model: Pointer, threads: number): Pointer;
  seesImages(projector: Pointer): boolean;
  hearsAudio(projector: Pointer): boolean;
  /** Null if the bytes cannot be decoded. */
  decodeMedium(projector: Pointer, bytes: Uint8Array): Promise<Pointer>;
  isAudio(medium: Pointer): boolean;
  sizeOf(medium: Pointer): MediumSize;
  /** A medium without its content, whose chunks cannot be encoded. */
  emptyMedium(isAudio: boolean, size: MediumSize): Pointer;
  freeMedium(medium: Pointer): void;
  /** What a medium becomes in a prompt; undefined if it becomes nothing. To be freed with `freeChunks`. */
  chunksOf(projector: Pointer, medium: Pointer): Promise<Pointer | undefined>;
  /** Valid until `freeChunks`. */
  listChunks(chunks: Pointer): readonly Chunk[];
  freeChunks(chunks: Pointer): void;
  /** @returns the embeddings, `width` floats each; undefined if that fails */
  encode(projector: Pointer, chunk: Chunk, width: number): Promise<Float32Array | undefined>;
  /** Decodes embeddings from a position on. @returns the position after them; undefined if that fails */
  decode(
    projector: Pointer,
    context: Pointer,
    chunk: Chunk,
    embeddings: Float32Array,
    position: number,
  ): Promise<number | undefined>;
}

/** What stands for the medium in the text that mtmd divides. */
const MARKER = "<__media__>";
/** `MTMD_INPUT_CHUNK_TYPE_TEXT` */
const TEXT = 0;

export function projectorOf({ koffi, declare, declareSlow }: Foreign): Projector {
  const defaults = declare("mtmd_context_params mtmd_context_params_default()");
  const load = declare("void* mtmd_init_from_file(str path, void* model, mtmd_context_params params)");
  const decodeMedium = declareSlow(
    "mtmd_helper_bitmap_wrapper mtmd_helper_bitmap_init_from_buf(void* projector, uint8* bytes, size_t length, bool is_empty)",
  );
  const isAudio = declare("bool mtmd_bitmap_is_audio(void* medium)");
  const width = declare("uint32 mtmd_bitmap_get_nx(void* medium)");
  const height = declare("uint32 mtmd_bitmap_get_ny(void* medium)");
  const emptyImage = declare("void* mtmd_bitmap_init(uint32 nx, uint32 ny, void* pixels)");
  const emptyAudio = declare("void* mtmd_bitmap_init_from_audio(size_t length, void* samples)");
  const freeMedium = declare("void mtmd_bitmap_free(void* medium)");
  const createChunks = declare("void* mtmd_input_chunks_init()");
  const tokenize = declareSlow(
    "int32 mtmd_tokenize(void* projector, void* chunks, mtmd_input_text* text, void** media, size_t count)",
  );
  const count = declare("size_t mtmd_input_chunks_size(void* chunks)");
  const at = declare("void* mtmd_input_chunks_get(void* chunks, size_t index)");
  const freeChunks = declare("void mtmd_input_chunks_free(void* chunks)");
  const typeOf = declare("int32 mtmd_input_chunk_get_type(void* chunk)");
  const lengthOf = declare("size_t mtmd_input_chunk_get_n_tokens(void* chunk)");
  const textOf = declare("void* mtmd_input_chunk_get_tokens_text(void* chunk, _Out_ size_t* length)");
  const encode = declareSlow("int32 mtmd_encode_chunk(void* projector, void* chunk)");
  const output = declare("void* mtmd_get_output_embd(void* projector)");
  const decode = declareSlow(
    "int32 mtmd_helper_decode_image_chunk(void* projector, void* context, void* chunk, float* embeddings, int32 position, int32 sequence, int32 batch, _Out_ int32* next, void* callback, void* data)",
  );
  return {
    load: (path, model, threads) =>
      load(path, model, {
        ...defaults(),
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
    ...{ isAudio, freeMedium, freeChunks },
    sizeOf: (medium) => [Number(width(medium)), Number(height(medium))],
    emptyMedium: (audio, [first, second]) =>
      audio ? emptyAudio(first, null) : emptyImage(first, second, null),
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
    async encode(projector, { pointer, length }, floats) {
      if ((await encode(projector, pointer)) !== 0) return undefined;
      return new Float32Array(koffi.view(output(projector), length * floats * 4)).slice();
    },
    async decode(projector, context, { pointer }, embeddings, position) {
      const next = [0];
      const failure = await decode(
        ...[projector, context, pointer, embeddings, position, 0, BATCH_SIZE, next, null, null],
      );
      return failure === 0 ? next[0] : undefined;
    },
  };
}
