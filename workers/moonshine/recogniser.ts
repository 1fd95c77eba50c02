import { floatsOf, type OnnxRuntime, type OnnxSession, type OnnxTensor } from "../onnx/onnx-runtime.ts";
import { BEGIN_TOKEN, END_TOKEN } from "./vocabulary.ts";

/** Speech has at most so many tokens a second; more is a loop. The limit of Moonshine's own code. */
const TOKENS_PER_SECOND = 6.5;
const SPARE_TOKENS = 4;

export interface HeardToken {
  readonly token: number;
  /** Natural logarithm of its probability. */
  readonly logprob: number;
}

/** Moonshine: an encoder, and a decoder with and without a cache in one graph, as Hugging Face's Optimum exports them. */
export class Recogniser {
  readonly #runtime: OnnxRuntime;
  readonly #encoder: OnnxSession;
  readonly #decoder: OnnxSession;
  /** An empty cache, by the names of the decoder's inputs. */
  readonly #empty: Readonly<Record<string, OnnxTensor>>;

  /** @throws Error if the decoder is not of that form */
  constructor(runtime: OnnxRuntime, encoder: OnnxSession, decoder: OnnxSession) {
    this.#runtime = runtime;
    this.#encoder = encoder;
    this.#decoder = decoder;
    const caches = decoder.inputMetadata.filter(({ name }) => name.startsWith("past_key_values."));
    if (caches.length === 0 || !decoder.inputNames.includes("use_cache_branch"))
      throw new Error("The decoder is not a merged one with a cache (decoder_model_merged).");
    this.#empty = Object.fromEntries(
      caches.map(({ name, shape = [] }) => {
        const [, heads, , size] = shape;
        if (typeof heads !== "number" || typeof size !== "number")
          throw new Error(`The decoder's input ${name} has no known shape.`);
        return [name, new runtime.Tensor("float32", new Float32Array(0), [1, heads, 0, size])];
      }),
    );
  }

  /**
   * Hears what is said, token by token.
   * @param samples 16,000 a second
   * @param temperature 0 takes the most probable token each time
   */
  async *hear(samples: Float32Array, temperature: number): AsyncGenerator<HeardToken> {
    const { Tensor } = this.#runtime;
    const audio = new Tensor("float32", samples, [1, samples.length]);
    const { last_hidden_state: encoded } = await this.#encoder.run({ input_values: audio });
    if (encoded === undefined) throw new Error("The encoder has no last_hidden_state.");
    const most = Math.ceil((samples.length / 16_000) * TOKENS_PER_SECOND) + SPARE_TOKENS;
    let cache = this.#empty;
    let token = BEGIN_TOKEN;
    for (let step = 0; step < most; step++) {
      const output = await this.#decoder.run({
        ...cache,
        input_ids: new Tensor("int64", BigInt64Array.of(BigInt(token)), [1, 1]),
        encoder_hidden_states: encoded,
        use_cache_branch: new Tensor("bool", Uint8Array.of(step === 0 ? 0 : 1), [1]),
      });
      const chosen = choose(floatsOf(output.logits), temperature);
      if (chosen.token === END_TOKEN) return;
      yield chosen;
      token = chosen.token;
      cache = nextCache(cache, output, step === 0);
    }
  }

  async close(): Promise<void> {
    await this.#encoder.release();
    await this.#decoder.release();
  }
}

/** The encoder's part of the cache is computed in the first step, and stays as it is. */
function nextCache(
  cache: Readonly<Record<string, OnnxTensor>>,
  output: Readonly<Record<string, OnnxTensor>>,
  isFirst: boolean,
): Readonly<Record<string, OnnxTensor>> {
  return Object.fromEntries(
    Object.entries(cache).map(([name, before]) => [
      name,
      isFirst || name.includes(".decoder.")
        ? (output[name.replace("past_key_values", "present")] ?? before)
        : before,
    ]),
  );
}

function choose(logits: Float32Array, temperature: number): HeardToken {
  let best = 0;
  for (let token = 1; token < logits.length; token++) if (logits[token]! > logits[best]!) best = token;
  const highest = logits[best]!;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - highest);
  const token = temperature > 0 ? drawn(logits, highest, temperature) : best;
  return { token, logprob: logits[token]! - highest - Math.log(sum) };
}

function drawn(logits: Float32Array, highest: number, temperature: number): number {
  const weights = logits.map((logit) => Math.exp((logit - highest) / temperature));
  let left = Math.random() * weights.reduce((sum, weight) => sum + weight, 0);
  const token = weights.findIndex((weight) => {
    left -= weight;
    return left <= 0;
  });
  return token < 0 ? logits.indexOf(highest) : token;
}
