import type { LlamaContextSequence, SequenceEvaluateOptions, Token } from "node-llama-cpp";
import type { TokenLogprob } from "../engine.ts";

/**
 * Generates after the tokens that the sequence holds.
 * @param top see `generateWithLogprobs`; undefined for no log probabilities
 */
export async function* generateTokens(
  sequence: LlamaContextSequence,
  firstToken: Token,
  options: SequenceEvaluateOptions,
  top: number | undefined,
): AsyncGenerator<{ token: Token; logprob: TokenLogprob | undefined }> {
  if (top !== undefined) yield* generateWithLogprobs(sequence, firstToken, options, top);
  else
    for await (const token of sequence.evaluate([firstToken], options)) yield { token, logprob: undefined };
}

/**
 * Generates like `sequence.evaluate`, with each token's log probability and the most probable alternatives, from the
 * sampled distribution: after temperature, penalties and bias.
 * @param top how many of the most probable tokens to return, 0 to 20
 */
async function* generateWithLogprobs(
  sequence: LlamaContextSequence,
  firstToken: Token,
  options: SequenceEvaluateOptions,
  top: number,
): AsyncGenerator<{ token: Token; logprob: TokenLogprob }> {
  let input = firstToken;
  const { seed = 0 } = options;
  for (let step = 0; ; step++) {
    const [output] = await sequence.controlledEvaluate([
      [
        input,
        {
          generateNext: {
            token: true,
            totalLogitWeight: true,
            logits: { filter: { tokens: [], includeMax: true, includeSelected: true, includeTop: top } },
            // Each step has its own sampler: with the same seed, all would draw the same.
            options: { ...samplerPart(options), seed: (seed + step) % 2 ** 32 },
          },
        },
      ],
    ]);
    const next = output?.next;
    const token = next?.token;
    if (token === undefined || token === null) throw new Error("llama.cpp sampled no token.");
    yield { token, logprob: toLogprob(token, next?.logits ?? new Map(), next?.totalLogitWeight ?? 1, top) };
    input = token;
  }
}

function samplerPart({ temperature, minP, topK, topP, repeatPenalty, tokenBias }: SequenceEvaluateOptions) {
  return {
    ...(temperature !== undefined && { temperature }),
    ...(minP !== undefined && { minP }),
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
    ...(repeatPenalty !== undefined && { repeatPenalty }),
    ...(tokenBias !== undefined && { tokenBias }),
  };
}

/** log softmax: logit − max − ln Σ exp(logit − max); `weight` is that sum. */
function toLogprob(
  token: Token,
  logits: ReadonlyMap<Token, number>,
  weight: number,
  top: number,
): TokenLogprob {
  const sorted = [...logits].sort((a, b) => b[1] - a[1]);
  const max = sorted[0]?.[1] ?? 0;
  const logprobOf = (logit: number) => Math.min(0, logit - max - Math.log(weight));
  return {
    logprob: logprobOf(logits.get(token) ?? Number.NEGATIVE_INFINITY),
    top: sorted.slice(0, top).map(([id, logit]) => [id, logprobOf(logit)] as const),
  };
}

/**
 * Evaluates a prompt and returns the log probability of each of its tokens, from the second on. The prefix cache must
 * not be reused, because it has no logits.
 */
export async function promptLogprobs(
  sequence: LlamaContextSequence,
  prompt: readonly Token[],
  top: number,
): Promise<TokenLogprob[]> {
  const known = prompt.slice(0, -1);
  const outputs = await sequence.controlledEvaluate(
    known.map((token, index) => {
      const next = prompt[index + 1]!;
      const filter = { tokens: [next], includeMax: true, includeTop: top };
      const options = { temperature: 1, topK: 0, topP: 1 };
      return [token, { generateNext: { totalLogitWeight: true, logits: { filter }, options } }];
    }),
  );
  return known.map((_, index) => {
    const next = outputs[index]?.next;
    return toLogprob(prompt[index + 1]!, next?.logits ?? new Map(), next?.totalLogitWeight ?? 1, top);
  });
}
