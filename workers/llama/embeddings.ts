import type { LlamaEmbeddingContext, LlamaModel, Token } from "node-llama-cpp";

const contexts = new WeakMap<LlamaModel, Promise<LlamaEmbeddingContext>>();

/** Returns one vector per input, in order. Creates the context at the first call. */
export async function embedWith(
  model: LlamaModel,
  threads: number,
  inputs: readonly Uint32Array[],
  signal: AbortSignal,
): Promise<Float32Array[]> {
  let context = contexts.get(model);
  if (context === undefined) {
    context = model.createEmbeddingContext({ threads });
    contexts.set(model, context);
  }
  const vectors: Float32Array[] = [];
  for (const input of inputs) {
    signal.throwIfAborted();
    const { vector } = await (await context).getEmbeddingFor(Array.from(input) as Token[]);
    vectors.push(Float32Array.from(vector));
  }
  return vectors;
}
