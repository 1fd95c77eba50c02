import type { LlamaEmbeddingContext, LlamaModel, Token } from "node-llama-cpp";

export interface EmbeddingOptions {
  readonly threads: number;
  /** Longest input in tokens. */
  readonly contextLength: number;
}

/** llama.cpp's binding appends an end token to inputs, and needs another place that stays empty. */
const ROOM = 2;

/** The longest input, in tokens, of which a model can make a vector. @param contextSize as asked for */
export const longestInput = (
  { trainContextSize }: Pick<LlamaModel, "trainContextSize">,
  contextSize: number,
): number => Math.min(contextSize, trainContextSize - ROOM);

const contexts = new WeakMap<LlamaModel, Promise<LlamaEmbeddingContext>>();

/** Returns one vector of unit length per input, in order. Creates the context at the first call. */
export async function embedWith(
  model: LlamaModel,
  { threads, contextLength }: EmbeddingOptions,
  inputs: readonly Uint32Array[],
  signal: AbortSignal,
): Promise<Float32Array[]> {
  let context = contexts.get(model);
  if (context === undefined) {
    const contextSize = contextLength + ROOM;
    // An input must fit one batch: llama.cpp pools each batch for itself, and the last one's vector would be the answer.
    context = model.createEmbeddingContext({ threads, contextSize, batchSize: contextSize });
    contexts.set(model, context);
  }
  const vectors: Float32Array[] = [];
  for (const input of inputs) {
    signal.throwIfAborted();
    const { vector } = await (await context).getEmbeddingFor(Array.from(input) as Token[]);
    vectors.push(unit(vector));
  }
  return vectors;
}

/** The vector scaled to unit length, like those of OpenAI's API and of llama.cpp's own server. */
function unit(vector: readonly number[]): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return Float32Array.from(vector, (value) => (length === 0 ? value : value / length));
}
