import { type MediumPart, packParts } from "../medium-parts.ts";
import { loadForeign, type Pointer } from "../native/foreign.ts";
import { takeKernels } from "./kernels.ts";
import type { ProjectorKinds, ProjectorOptions } from "./messages.ts";
import { type Chunk, type Projector, projectorOf } from "./projector.ts";
import { PROJECTOR_STRUCTS } from "./structs.ts";

/** The medium cannot be decoded. The message is a sentence for the client. */
export class RefusedError extends Error {
  override name = "RefusedError";
}

export interface MeasuredMedium {
  /** How many it is in a prompt. */
  readonly tokens: number;
  /** What it is there, by `packParts`. */
  readonly features?: Uint8Array;
}

/** A projector, with the model that it belongs to. It does one thing at a time. */
export class ProjectorModel {
  readonly kinds: ProjectorKinds;
  readonly #functions: Projector;
  readonly #projector: Pointer;
  /** How many floats a token of a medium has. */
  readonly #width: number;

  /** @throws Error with the reason, as a clause, if the files cannot be used */
  constructor({ packages, modelPath, projectorPath, threads, kernels }: ProjectorOptions) {
    const library = loadForeign(packages.koffi, packages.llama, PROJECTOR_STRUCTS);
    const taken = kernels === undefined ? 0 : takeKernels(library, loadForeign(packages.koffi, kernels));
    const functions = projectorOf(library);
    const model = functions.loadModel(modelPath);
    if (model === null) throw new Error(`llama.cpp cannot load the model ${modelPath}`);
    this.#width = functions.embeddingWidth(model);
    // Flash attention has code of its own, which is the library's slow one.
    const projector = functions.load(projectorPath, model, { threads, hasFlashAttention: taken === 0 });
    if (projector === null) throw new Error(UNUSABLE);
    this.kinds = { vision: functions.seesImages(projector), audio: functions.hearsAudio(projector) };
    this.#projector = projector;
    this.#functions = functions;
  }

  /**
   * @returns how many tokens a medium is in a prompt
   * @throws RefusedError if the bytes cannot be decoded
   */
  measure(data: Uint8Array): Promise<MeasuredMedium> {
    return this.#withChunks(data, async (chunks) => ({ tokens: tokensOf(chunks) }));
  }

  /**
   * @param most tokens that the medium may be; if it is more, it is only measured
   * @throws RefusedError if the bytes cannot be decoded
   */
  encode(data: Uint8Array, most: number): Promise<MeasuredMedium> {
    return this.#withChunks(data, async (chunks) => {
      if (tokensOf(chunks) > most) return { tokens: tokensOf(chunks) };
      const parts: MediumPart[] = [];
      for (const chunk of chunks) parts.push(await this.#encodeChunk(chunk));
      return { tokens: tokensOf(chunks), features: packParts(parts, this.#width) };
    });
  }

  async #withChunks<Result>(
    data: Uint8Array,
    use: (chunks: readonly Chunk[]) => Promise<Result>,
  ): Promise<Result> {
    const medium = await this.#functions.decodeMedium(this.#projector, data);
    if (medium === null) throw new RefusedError(UNDECODABLE);
    let chunks: Pointer;
    try {
      chunks = await this.#functions.chunksOf(this.#projector, medium);
      if (chunks === undefined) throw new RefusedError(UNDECODABLE);
      return await use(this.#functions.listChunks(chunks));
    } finally {
      if (chunks !== undefined) this.#functions.freeChunks(chunks);
      this.#functions.freeMedium(medium);
    }
  }

  async #encodeChunk(chunk: Chunk): Promise<MediumPart> {
    if (chunk.text !== undefined) return { kind: "text", tokens: chunk.text };
    const embeddings = await this.#functions.encode(this.#projector, chunk, this.#width);
    if (embeddings === undefined) throw new Error("the projector cannot encode a medium");
    const places = this.#functions.placesIn(this.#projector, chunk);
    return {
      ...{ kind: "rows", count: chunk.length, positions: this.#functions.positionsIn(chunk) },
      isCausal: this.#functions.isCausal(this.#projector, chunk),
      ...(places && { places }),
      embeddings,
    };
  }
}

const UNUSABLE = "it is incomplete, no projector that llama.cpp knows, or that of another model";
const UNDECODABLE = "The file is damaged, so that it cannot be decoded. Send it whole.";

const tokensOf = (chunks: readonly Chunk[]) => chunks.reduce((sum, { length }) => sum + length, 0);
